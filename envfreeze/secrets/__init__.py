"""Secrets in what is about to leave the machine: found by patterns, named by file and line, never shown.

The patterns are those of detect-secrets (https://github.com/Yelp/detect-secrets) and ``_patterns``. A finding
is named by a fingerprint, by which a person allows it, with a reason that is recorded.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from envfreeze.errors import InputError
from envfreeze.records.artifact import AllowedSecret
from envfreeze.records.base import Record
from envfreeze.secrets._patterns import PATTERNS

MAX_SIZE = 8 << 20
"""Bytes; larger files are data, and are not read for secrets."""
MAX_LINE = 20_000
SHOWN = 5

_PLUGINS = (
    "ArtifactoryDetector", "AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector",
    "CloudantDetector",
    "DiscordBotTokenDetector", "GitHubTokenDetector", "GitLabTokenDetector", "IbmCloudIamDetector",
    "IbmCosHmacDetector", "JwtTokenDetector", "KeywordDetector", "MailchimpDetector", "NpmDetector",
    "OpenAIDetector", "PrivateKeyDetector", "PypiTokenDetector", "SendGridDetector", "SlackDetector",
    "SoftlayerDetector", "SquareOAuthDetector", "StripeDetector", "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)  # fmt: skip
"""Without the detectors of entropy for hexadecimal: every lock is full of digests."""


class Secret(Record):
    """One finding; its value is in no record."""

    path: str
    line: int
    kind: str
    fingerprint: str
    """The first 12 hex digits of SHA-256 over kind and value: equal for the same secret in another place."""


def scan(files: Mapping[str, Path]) -> tuple[Secret, ...]:
    """Every finding in these files, by name; binary and very large ones are not read."""
    from detect_secrets.settings import transient_settings

    found: dict[tuple[str, int, str], Secret] = {}
    settings = {"plugins_used": [{"name": name} for name in _PLUGINS]}
    with ExitStack() as stack, transient_settings(settings):
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for number, (name, path) in enumerate(sorted(files.items())):
            if _is_text(path):
                for secret in (*_by_library(path, folder / str(number), name), *_by_patterns(path, name)):
                    found.setdefault((secret.path, secret.line, secret.fingerprint), secret)
    return tuple(found[key] for key in sorted(found))


def scan_text(name: str, text: str) -> tuple[Secret, ...]:
    """Every finding in a text that is about to be written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text"
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
        return scan({name: path})


def refuse(
    found: Iterable[Secret], allowed: Iterable[AllowedSecret], *, what: str
) -> tuple[AllowedSecret, ...]:
    """Let only what was allowed through; returns those permissions that were needed.

    Raises:
        InputError: something else was found; the sentence names file and line.
    """
    permissions = {item.fingerprint: item for item in allowed}
    used: dict[str, AllowedSecret] = {}
    refused = []
    for secret in found:
        if secret.fingerprint in permissions:
            used[secret.fingerprint] = permissions[secret.fingerprint]
        else:
            refused.append(secret)
    if refused:
        shown = "; ".join(described(secret) for secret in refused[:SHOWN])
        more = f"; and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
        raise InputError(
            f"{what} would hold what looks like secrets: {shown}{more}.",
            hint="Remove them and freeze again. When one is none: "
            f"--allow {refused[0].fingerprint}='why it is harmless'.",
        )
    return tuple(used.values())


def described(secret: Secret) -> str:
    """File, line, kind and fingerprint, in words."""
    return f"{secret.path} line {secret.line}: {secret.kind} ({secret.fingerprint})"


def parse_allowed(texts: Iterable[str]) -> tuple[AllowedSecret, ...]:
    """``FINGERPRINT=REASON`` from the command line.

    Raises:
        InputError: the reason is missing.
    """
    made = []
    for text in texts:
        fingerprint, _, reason = text.partition("=")
        if not reason.strip():
            raise InputError(
                f"--allow {text}: the reason is missing.", hint=f"Write: --allow {fingerprint}='test key'"
            )
        made.append(AllowedSecret(fingerprint=fingerprint.strip().lower(), reason=reason.strip()))
    return tuple(made)


def _is_text(path: Path) -> bool:
    try:
        if not 0 < path.stat().st_size <= MAX_SIZE:
            return False
        with path.open("rb") as stream:
            return b"\0" not in stream.read(8192)
    except OSError:
        return False


def _by_library(path: Path, link: Path, name: str) -> Iterator[Secret]:
    """The library looks at the file's name, which stored content does not have."""
    from detect_secrets.core.scan import scan_file

    link = link.with_name(f"{link.name}-{_plain(name)}")
    link.symlink_to(path.absolute())
    for secret in scan_file(str(link)):
        if secret.type == "Secret Keyword" and not _is_literal(path, secret.line_number, secret.secret_value):
            continue
        yield _secret(name, secret.line_number, secret.type, secret.secret_value or "")


def _is_literal(path: Path, number: int, value: str | None) -> bool:
    """Whether the value stands in quotes: ``password = config.password`` gives nothing away."""
    import linecache

    line = linecache.getline(str(path), number)
    return bool(value) and len(value or "") >= 6 and any(f"{quote}{value}{quote}" in line for quote in "\"'")


def _plain(name: str) -> str:
    suffix = Path(name).suffix
    return f"file{suffix if suffix[1:].isalnum() and len(suffix) < 12 else ''}"


def _by_patterns(path: Path, name: str) -> Iterator[Secret]:
    with path.open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, 1):
            for kind, pattern in PATTERNS:
                for match in pattern.finditer(line[:MAX_LINE]):
                    yield _secret(name, number, kind, match[0])


def _secret(path: str, line: int, kind: str, value: str) -> Secret:
    digest = hashlib.sha256(f"{kind}\0{value}".encode(errors="replace")).hexdigest()
    return Secret(
        path=path, line=line, kind=kind.lower() if kind.istitle() else kind, fingerprint=digest[:12]
    )

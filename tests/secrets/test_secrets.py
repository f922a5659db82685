"""Planted secrets are found wherever they stand, and what only looks odd is not taken for one."""

from __future__ import annotations

import json
import random
import string
from pathlib import Path

import pytest

from envfreeze.errors import InputError
from envfreeze.records.artifact import AllowedSecret
from envfreeze.secrets import parse_allowed, refuse, scan, scan_text

DRAW = random.Random(20240229)
ALNUM, HEX = string.ascii_letters + string.digits, "0123456789abcdef"


def letters(count: int, among: str = ALNUM) -> str:
    return "".join(DRAW.choice(among) for _ in range(count))


UPPER = string.ascii_uppercase + string.digits
TOKENS = {
    "AWS access key": lambda: "AKIA" + letters(16, UPPER),
    "AWS secret": lambda: f"aws_secret_access_key = {letters(40)}",
    "AWS session": lambda: f"AWS_SESSION_TOKEN={letters(120)}",
    "GitHub": lambda: "ghp_" + letters(36),
    "GitHub fine-grained": lambda: "github_pat_" + letters(82),
    "GitLab": lambda: "glpat-" + letters(20),
    "Hugging Face": lambda: "hf_" + letters(34),
    "W&B": lambda: f"WANDB_API_KEY={letters(40, HEX)}",
    "Comet": lambda: f"COMET_API_KEY={letters(25)}",
    "OpenAI project": lambda: "sk-proj-" + letters(48),
    "Anthropic": lambda: "sk-ant-api03-" + letters(80),
    "Google API": lambda: "AIza" + letters(35),
    "Google OAuth": lambda: "ya29." + letters(60),
    "Slack": lambda: f"xoxb-{letters(11, string.digits)}-{letters(11, string.digits)}-{letters(24)}",
    "Stripe": lambda: "sk_live_" + letters(24),
    "PyPI": lambda: "pypi-AgEIcHlwaS5vcmc" + letters(100),
    "npm": lambda: f"//registry.example/:_authToken=npm_{letters(36)}",
    "SendGrid": lambda: f"SG.{letters(22)}.{letters(43)}",
    "Twilio": lambda: "SK" + letters(32, HEX),
    "private key": lambda: "-----BEGIN RSA PRIVATE KEY-----",
    "OpenSSH key": lambda: "-----BEGIN OPENSSH PRIVATE KEY-----",
    "JWT": lambda: (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0."
        "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
    ),
    "Azure storage": lambda: f"AccountKey={letters(86)}==",
    "Azure signature": lambda: f"https://x.blob.example/c?sv=2022&sig={letters(43)}%3D",
    "Databricks": lambda: "dapi" + letters(32, HEX),
    "DigitalOcean": lambda: "dop_v1_" + letters(64, HEX),
    "Docker": lambda: "dckr_pat_" + letters(27),
    "Kaggle": lambda: json.dumps({"username": "somebody", "key": letters(32, HEX)}),
    "age": lambda: "AGE-SECRET-KEY-1" + letters(58, UPPER),
    "netrc": lambda: f"machine pypi.example login me password {letters(12)}",
    "URL": lambda: f"https://me:{letters(12)}@pypi.example/simple",
    "database URL": lambda: f"postgresql://me:{letters(10)}@db.example:5432/x",
    "bearer": lambda: f"Authorization: Bearer {letters(40)}",
    "service account": lambda: f'"private_key_id": "{letters(40, HEX)}"',
    "Replicate": lambda: "r8_" + letters(37),
    "password": lambda: f'password = "{letters(14)}!"',
}
PLACES = {
    "script.py": "import os\n\nconnect('{}')\n",
    "notes.txt": "first line\nsecond\n{}\nlast\n",
    "notebook.ipynb": '{{"cells": [{{"outputs": [{{"text": [\n"x",\n"{}"\n]}}]}}]}}',
}
WHOLE_LINES = {"Kaggle", "service account", "netrc", "password"}
"""Not strings within others."""
BENIGN = [
    "sha256: 4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
    "commit 1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
    "id = '123e4567-e89b-12d3-a456-426614174000'",
    "password = os.environ['PASSWORD']",
    "password = getpass.getpass()",
    "api_key = config.api_key",
    "token = tokenizer.encode(text)",
    "secret = load_secret(path)",
    "https://pypi.org/simple/numpy/",
    "https://user@example.org/path",
    "git@github.com:me/project.git",
    "tokens: 128",
    "hf_model = 'bert-base-uncased'",
    "key_padding_mask = mask.bool()",
    "accuracy: 0.9722222222222222, loss: 0.12345678901234567",
    "model: sk-learn-forest-classifier-v2",
    "numpy==2.1.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
    '"image/png": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"',
    "postgresql://localhost:5432/x",
    "https://{user}:{password}@example.org",
    "https://$USER:$TOKEN@example.org",
    "secret_sharing_scheme = True",
]


@pytest.mark.parametrize(
    ("kind", "place"),
    [(kind, place) for kind in TOKENS for place in PLACES if kind not in WHOLE_LINES or place == "notes.txt"],
)
def test_a_planted_secret_is_found_with_its_line(kind: str, place: str, tmp_path: Path) -> None:
    secret = TOKENS[kind]()
    if place == "notebook.ipynb":
        secret = secret.replace('"', '\\"')
    text = PLACES[place].format(secret)
    path = tmp_path / "stored"
    path.write_text(text)
    found = scan({place: path})
    assert found, text
    assert {item.line for item in found} == {3}
    assert all(item.path == place for item in found)
    assert all(secret not in str(item) for item in found)


def test_what_only_looks_odd_is_not_taken_for_a_secret(tmp_path: Path) -> None:
    for name in ("train.py", "notes.txt", "config.yaml"):
        path = tmp_path / name
        path.write_text("\n".join(BENIGN))
        assert [(item.line, item.kind, BENIGN[item.line - 1]) for item in scan({name: path})] == []


def test_binary_files_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"\0" + TOKENS["GitHub"]().encode())
    assert scan({"model.bin": path}) == ()


def test_a_finding_is_allowed_by_its_fingerprint_and_with_a_reason() -> None:
    token = TOKENS["GitHub"]()
    (found,) = scan_text("train.py", f"x = 1\ntoken = '{token}'\n")[:1]
    with pytest.raises(InputError, match=r"train\.py line 2") as raised:
        refuse([found], [], what="the bundle")
    assert token not in str(raised.value) + str(raised.value.hint)
    allowed = parse_allowed([f"{found.fingerprint}=a test key"])
    assert refuse([found], allowed, what="the bundle") == allowed
    assert allowed == (AllowedSecret(fingerprint=found.fingerprint, reason="a test key"),)
    with pytest.raises(InputError, match="reason is missing"):
        parse_allowed([found.fingerprint])


def test_the_same_secret_has_the_same_fingerprint_elsewhere() -> None:
    token = TOKENS["Hugging Face"]()
    first, second = scan_text("a.py", f"t = '{token}'"), scan_text("b.txt", f"\n\n{token}")
    assert {item.fingerprint for item in first} & {item.fingerprint for item in second}

"""Two sets of outputs against each other: bytes first, then whatever comparator knows the kind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec.structs import replace

from envfreeze.compare import Options
from envfreeze.compare._aliases import names_set_aside
from envfreeze.compare._contents import Judgement, compare_contents
from envfreeze.compare._output_stores import compare_stores
from envfreeze.compare._paired import paired_names, renamed
from envfreeze.compare._policy import for_path
from envfreeze.compare.bytes import same_small
from envfreeze.compare.sides import Side, side_of_folder
from envfreeze.errors import InputError
from envfreeze.files import in_parallel
from envfreeze.records.comparison import Comparison, OutputComparison
from envfreeze.records.verdict import Verdict, worst

__all__ = ["EXIT_STATUS", "STDERR", "STDOUT", "Judgement", "Side", "compare_contents", "compare_sets",
           "side_of_folder"]  # fmt: skip

EXIT_STATUS, STDOUT, STDERR = "<exit status>", "<stdout>", "<stderr>"


def compare_sets(
    original: Side, replay: Side, options: Options, *, uncompared: Mapping[str, str] | None = None
) -> Comparison:
    """Compare everything that either side has; the worst comes first, then by path.

    Args:
        original, replay: what is held against each other.
        options: tolerances and aliases.
        uncompared: outputs of the original whose content cannot be had, by path, each with the reason.

    Raises:
        InputError: one side is a single file and the other a folder.
    """
    if original.single != replay.single:
        folder, file = (replay, original) if original.single else (original, replay)
        raise InputError(
            f"{file.label} is a file and {folder.label} is a folder.",
            hint="Give two files or two folders.",
        )
    reasons = dict(uncompared or {})
    firsts, seconds = dict(original.files), dict(replay.files)
    if original.single and replay.single:
        seconds = dict(zip(firsts, seconds.values(), strict=True))
    pairs = paired_names({*firsts, *original.links, *reasons}, {*seconds, *replay.links})
    pairs = {
        one: two for one, two in pairs.items() if one in firsts and two in seconds and one not in reasons
    }
    for one, two in pairs.items():
        seconds[one] = seconds.pop(two)
    names = {*firsts, *seconds, *original.links, *replay.links} | _files_only(reasons)
    told, words = compare_stores(firsts, seconds, reasons, options)
    found, rest = _small(sorted(names - words.keys()), firsts, seconds, reasons, options)
    rest += [path for path, word in words.items() if word]
    found += told + in_parallel(
        lambda path: _with_word(
            _output(path, firsts.get(path), seconds.get(path), original, replay, reasons, options),
            words.get(path, ""),
        ),
        rest,
    )
    found += _streams(original, replay, reasons, options) + _exit_status(original, replay)
    found = [renamed(output, pairs[output.path]) if output.path in pairs else output for output in found]
    found.sort(key=_importance)
    return Comparison(
        verdict=worst([output.verdict for output in found if output.counts]),
        outputs=tuple(found),
        original=original.label,
        replay=replay.label,
    )


def _with_word(output: OutputComparison, word: str) -> OutputComparison:
    """With the word why a file was not compared together with others."""
    if not word or output.verdict is Verdict.IDENTICAL:
        return output
    return replace(output, reason=f"{output.reason} ({word})")


def _small(
    paths: list[str],
    firsts: Mapping[str, Path],
    seconds: Mapping[str, Path],
    reasons: Mapping[str, str],
    options: Options,
) -> tuple[list[OutputComparison], list[str]]:
    """Small files that are the same, one after the other, as threads would only be in each other's way; and
    the paths that are left."""
    found, rest = [], []
    for path in paths:
        first, second = firsts.get(path), seconds.get(path)
        plain = first is not None and second is not None and path not in reasons and not options.rules
        size = same_small(first, second) if plain and first and second else None
        if size is None:
            rest.append(path)
        else:
            found.append(
                OutputComparison(
                    path=path,
                    verdict=Verdict.IDENTICAL,
                    reason="every bit is the same",
                    comparator="bytes",
                    original_size=size,
                    replay_size=size,
                )
            )
    return found, rest


def _files_only(reasons: Mapping[str, str]) -> set[str]:
    return {path for path in reasons if path not in (EXIT_STATUS, STDOUT, STDERR)}


def _output(
    path: str,
    first: Path | None,
    second: Path | None,
    original: Side,
    replay: Side,
    reasons: Mapping[str, str],
    options: Options,
) -> OutputComparison:
    one, two = original.links.get(path), replay.links.get(path)
    options, ignore = for_path(options, path)
    if ignore:
        sizes = {"original_size": _size(first), "replay_size": _size(second)}
        return _plain(path, Verdict.UNCOMPARED, f"ignored by pyproject.toml: {ignore}", counts=False, **sizes)
    in_original = first is not None or one is not None or path in reasons
    if not in_original:
        return _plain(path, Verdict.EXTRA, "only the replay made it", replay_size=_size(second))
    if second is None and two is None:
        return _plain(path, Verdict.MISSING, "the replay did not make it", original_size=_size(first))
    if path in reasons:
        return _plain(path, Verdict.UNCOMPARED, reasons[path], replay_size=_size(second))
    if one is not None and two is not None:
        return _links(path, one, two, options)
    if first is None or second is None:
        kinds = ["a file" if content is not None else "a symbolic link" for content in (first, second)]
        return _plain(path, Verdict.DIFFERENT, f"{kinds[0]} → {kinds[1]}")
    return _contents(path, first, second, options)


def _plain(
    path: str,
    verdict: Verdict,
    reason: str,
    *,
    original_size: int | None = None,
    replay_size: int | None = None,
    counts: bool = True,
) -> OutputComparison:
    return OutputComparison(
        path=path,
        verdict=verdict,
        reason=reason,
        original_size=original_size,
        replay_size=replay_size,
        counts=counts,
    )


def _size(path: Path | None) -> int | None:
    try:
        return None if path is None else path.stat().st_size
    except OSError:
        return None


def _links(path: str, one: str, two: str, options: Options) -> OutputComparison:
    if one == two:
        return _plain(path, Verdict.IDENTICAL, f"a symbolic link to {one}")
    names = names_set_aside(one, two, options)
    verdict = Verdict.DIFFERENT if names is None else Verdict.EQUIVALENT
    return OutputComparison(
        path=path,
        verdict=verdict,
        reason=f"a symbolic link to {one} → {two}",
        set_aside=tuple(f"{name}: 1 place" for name in names or ()),
    )


def _contents(
    path: str, first: Path, second: Path, options: Options, *, counts: bool = True
) -> OutputComparison:
    options, _ = for_path(options, path)
    judged = compare_contents(first, second, options, path)
    finding = judged.finding
    return OutputComparison(
        path=path,
        verdict=finding.verdict,
        reason=finding.reason,
        comparator=judged.comparator,
        original_size=_size(first),
        replay_size=_size(second),
        set_aside=finding.set_aside,
        differences=finding.differences,
        counts=counts,
    )


def _streams(
    original: Side, replay: Side, reasons: Mapping[str, str], options: Options
) -> list[OutputComparison]:
    """Standard output and error; standard error is shown and never counts."""
    found = []
    pairs = ((STDOUT, original.stdout, replay.stdout), (STDERR, original.stderr, replay.stderr))
    for name, first, second in pairs:
        counts = name == STDOUT
        if name in reasons:
            found.append(_plain(name, Verdict.UNCOMPARED, reasons[name], counts=counts))
        elif first is not None and second is not None:
            found.append(_contents(name, first, second, options, counts=counts))
        elif first is not None or second is not None:
            which = original if first is None else replay
            reason = f"there is none in {which.label}"
            counts = counts and which.exit_status is not None
            found.append(_plain(name, Verdict.UNCOMPARED, reason, counts=counts))
    return found


def _exit_status(original: Side, replay: Side) -> list[OutputComparison]:
    one, two = original.exit_status, replay.exit_status
    if one is None and two is None:
        return []
    if one is None or two is None:
        which = original if one is None else replay
        return [_plain(EXIT_STATUS, Verdict.UNCOMPARED, f"there is none in {which.label}", counts=False)]
    if one == two:
        return [_plain(EXIT_STATUS, Verdict.IDENTICAL, f"{one} in both")]
    return [_plain(EXIT_STATUS, Verdict.DIFFERENT, f"{one} → {two}")]


def _importance(output: OutputComparison) -> tuple[int, bool, bool, str]:
    """The worst first; of equals what names a value before what knows bytes only, files before streams."""
    return -output.verdict.rank, output.comparator == "bytes", output.path.startswith("<"), output.path

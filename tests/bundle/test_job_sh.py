"""What a bundle hands to a shell: real shells start the command with exactly the recorded words."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.bundle.texts import JobText, job_text, texts
from envfreeze.records.artifact import Bundle, BundledEnvironment, BundledExperiment

SHELLS = [
    [path, *more] for name, *more in (("dash",), ("bash",), ("busybox", "sh")) if (path := shutil.which(name))
]
HOSTILE = [
    "it's",
    '"',
    "$(touch evil)",
    "`touch evil`",
    "${IFS}touch${IFS}evil",
    "'; touch evil; '",
    "a\ntouch evil\n",
    "<<EOF\ntouch evil\nEOF",
    "\r\n",
    "!!",
    "!touch",
    "*",
    "~",
    "?[a-z]*",
    "{a,b}",
    "\\",
    "\\'",
    "#",
    "",
    "-n",
    "--",
    "> evil",
    "| touch evil",
    "& touch evil",
    "a=b",
    "$'touch'",
    "é\u2028\x85\x1b]0;x\x07",
]
words = st.sampled_from(HOSTILE) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20
)
# How a word is printed: each one ends with NUL, which no word can hold.
PRINT = ("printf", "%s\\0")


def said(script: str, shell: list[str], folder: Path) -> list[str]:
    path = folder / "job.sh"
    path.write_text(script, encoding="utf-8", newline="")
    checked = subprocess.run([*shell, "-n", path], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
    done = subprocess.run([*shell, path], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert [found.name for found in folder.iterdir()] == ["job.sh"], "something else ran"
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: Path(shell[0]).name)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    command=st.lists(words, min_size=1, max_size=4),
    minimal=st.lists(words, max_size=3),
    variables=st.dictionaries(st.sampled_from(["OMP_X", "TZ", "MKL_Y"]), words, max_size=3),
    directory=words,
    outside=words.filter(lambda text: ":" not in text and "/" not in text),
)
def test_every_word_arrives_as_it_was_recorded(
    shell: list[str],
    tmp_path: Path,
    command: list[str],
    minimal: list[str],
    variables: dict[str, str],
    directory: str,
    outside: str,
) -> None:
    folder = tmp_path / "alone"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    job = JobText(
        command=(*PRINT, *command),
        minimal=(*PRINT, "short", *minimal) if minimal else (),
        directory=directory,
        project=directory,
        environment=variables,
        outside=(f"/{outside}",),
        library_path=(f"/{outside}",),
    )
    start = f'{job_text(job)}here=/here home=/home image=image minimal="no"\n'
    assert said(f"{start}in_environment\n", shell, folder) == command
    values = [word for name, value in sorted(variables.items()) for word in ("-e", f"{name}={value}")]
    mount = ["-v", f"/here/outside/{outside}:/{outside}:ro"]
    started = said(f"{start}in_container {PRINT[0]} '%s\\0'\n", shell, folder)
    assert started == [*values, *mount, "-w", directory, "image", *PRINT, *command]
    assert said(f'{start}printf \'%s\\0\' "$project" "$directory"\n', shell, folder) == [directory, directory]
    if minimal:
        assert said(f"{start}minimal=yes\nin_environment\n", shell, folder) == ["short", *minimal]
    shown = msgspec.structs.replace(
        job, command=("sh", "-c", 'printf "%s\\0" "$LD_LIBRARY_PATH"'), minimal=()
    )
    libraries = said(f"{job_text(shown)}home=/home system=/its\nin_environment\n", shell, folder)
    assert libraries == [f"/its/{outside}"]
    for name, value in variables.items():
        shown = JobText(
            command=("sh", "-c", f'printf "%s\\0" "${name}"'),
            directory="",
            project="",
            environment={name: value},
        )
        assert said(f"{job_text(shown)}home=/home\nin_environment\n", shell, folder) == [value]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: Path(shell[0]).name)
@pytest.mark.parametrize("word", HOSTILE)
def test_folders_of_any_name_are_made_below_the_workspace(
    shell: list[str], word: str, tmp_path: Path
) -> None:
    job = JobText(command=("true",), directory="", project="", environment={}, folders=(f"{word}x", "second"))
    script = tmp_path / "job.sh"
    script.write_text(f"{job_text(job)}work=work\nfolders\n", encoding="utf-8", newline="")
    done = subprocess.run([*shell, script], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0 and not done.stderr
    assert {found.name for found in tmp_path.iterdir()} == {"job.sh", "work"}
    assert (tmp_path / "work" / f"{word}x").is_dir() and (tmp_path / "work" / "second").is_dir()


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: Path(shell[0]).name)
def test_run_sh_hands_on_what_a_bundle_says_of_its_environments(shell: list[str], tmp_path: Path) -> None:
    digest = "a" * 64
    environments = tuple(
        BundledEnvironment(folder=f"environments/{word}", environment_id=digest, python=word)
        for word in HOSTILE
    )
    experiments = tuple(
        BundledExperiment(
            name=f"e{number}", folder=f"experiments/e{number}", environment=environment.folder,
            original_lock=digest, title=environment.python, command=(environment.python,),
        )
        for number, environment in enumerate(environments)
    )  # fmt: skip
    bundle = Bundle(
        environments=environments, experiments=experiments, **dict.fromkeys(BUNDLE_TEXTS, HOSTILE[2])
    )
    script = texts(bundle, tmp_path).executable["run.sh"]
    printed = "run_one() { printf '%s\\0' \"$@\"; }\nplace_results() { :; }\nplace_results\n"
    script = script.replace("\nplace_results\n", f"\n{printed}", 1)
    folder = tmp_path / "alone"
    folder.mkdir()
    assert said(script, shell, folder) == [
        word
        for number, one in enumerate(environments)
        for word in (f"e{number}", one.folder, f"envfreeze:{digest[:16]}", one.python)
    ]


BUNDLE_TEXTS = ("made_by", "title", "description", "license", "paper")

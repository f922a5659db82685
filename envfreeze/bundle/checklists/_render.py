"""A filled checklist as Markdown and as LaTeX."""

from __future__ import annotations

from envfreeze.bundle.checklists import Answers
from envfreeze.report._words import printable

_NOTE = (
    "Evidence was filled in by envfreeze from the lock; TODO is for the author. Questions are put in short "
    "words: the venue's own text counts."
)
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%",
    "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "×": r"$\times$", "…": r"\dots{}",
}  # fmt: skip


def markdown(filled: Answers) -> str:
    """A section with one entry a question."""
    lines = [f"# {filled.title}", "", f"Source: <{filled.source}>. {_NOTE}", ""]
    for answer in filled.answers:
        lines.append(f"- **{_line(answer.id)}**: {_line(answer.text)}")
        lines.append(f"  - answer: {'Yes' if answer.answered else '**TODO**'}")
        lines += [f"  - evidence: {_plain(text)}" for text in answer.evidence]
        if answer.advice:
            lines.append(f"  - to do: {_line(answer.advice)}")
    if filled.gaps:
        lines += [
            "",
            "What speaks against it:",
            "",
            *(f"- {_plain(gap)}" for gap in filled.gaps),
        ]
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    return printable(" ".join(text.split()))


def _plain(text: str) -> str:
    """Names from outside cannot become markup."""
    return "".join(f"\\{char}" if char in r"\`*_[]<>|" else char for char in _line(text))


def latex(filled: Answers) -> str:
    """A section that can be input into a paper; it needs no package."""
    lines = [
        f"% {_line(filled.title)}, {filled.source}",
        f"\\section*{{{_tex(filled.title)}}}",
        _tex(_NOTE),
        "\\begin{itemize}",
    ]
    for answer in filled.answers:
        state = "Yes." if answer.answered else "\\textbf{TODO.}"
        lines.append(f"\\item \\textbf{{{_tex(answer.id)}}}: {_tex(answer.text)} {state}")
        lines += [f"  Evidence: {_tex(text)}." for text in answer.evidence]
        if answer.advice:
            lines.append(f"  % {_line(answer.advice)}")
    lines.append("\\end{itemize}")
    if filled.gaps:
        lines.append(f"What speaks against it: {_tex('; '.join(filled.gaps))}.")
    return "\n".join(lines) + "\n"


def _tex(text: str) -> str:
    return "".join(_LATEX.get(char, char) for char in _line(text))

"""USENIX's badges and the appendix that goes with them."""

from envfreeze.bundle.checklists import Checklist, Question

CHECKLIST = Checklist(
    name="usenix",
    title="USENIX artifact evaluation",
    source="https://secartifacts.github.io/usenixsec2025/badges",
    questions=(
        Question(
            id="Available",
            text="Is it in a long-term archive with a stable reference or DOI?",
            advice="Upload the bundle to Zenodo or the like, and name the DOI here.",
        ),
        Question(
            id="Licence",
            text="Is there a licence that lets others at least compare with it?",
            evidence=("license",),
            settled=True,
            advice="Put a LICENSE file into the project.",
        ),
        Question(
            id="Functional: documentation",
            text="Is it documented well enough to be exercised by readers of the paper?",
            evidence=("inventory", "commands"),
            settled=True,
        ),
        Question(
            id="Functional: completeness",
            text="Does it include all key components that the paper describes?",
            evidence=("code", "data", "dependencies"),
            advice="Say which results of the paper are not in it, and why.",
        ),
        Question(
            id="Functional: exercisability",
            text="Does it include scripts and data of the experiments, and does the software run?",
            evidence=("commands", "environment", "replayed"),
            settled=True,
            advice="Replay it yourself before you pack: envfreeze replay.",
        ),
        Question(
            id="Results reproduced",
            text="Can the main results be obtained with it, within a stated tolerance?",
            evidence=("claims", "outputs", "replayed"),
            advice="Reviewers decide this; claims.yaml states each claim with its margin.",
        ),
        Question(
            id="Appendix: requirements",
            text="Which hardware and software does it need?",
            evidence=("hardware", "environment", "dependencies"),
            settled=True,
        ),
        Question(
            id="Appendix: effort",
            text="How much time of people and machines, and how much disk, does each experiment take?",
            evidence=("runtime", "disk"),
            advice="Say how many minutes of a person it takes.",
        ),
        Question(
            id="Appendix: basic test",
            text="Is there a short test that shows that all is in place?",
            evidence=("minimal",),
            settled=True,
            advice="Name a short run: envfreeze pack --minimal COMMAND.",
        ),
        Question(
            id="Appendix: security and ethics",
            text="Can running it do harm to a reviewer's machine or data?",
            evidence=("network",),
            advice="Say so where it can.",
        ),
    ),
)

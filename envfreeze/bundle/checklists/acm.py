"""ACM's badges, version 1.1."""

from envfreeze.bundle.checklists import Checklist, Question

_DOI = "Upload the bundle to an archive that gives a DOI, such as Zenodo, and name it here."

CHECKLIST = Checklist(
    name="acm",
    title="ACM Artifact Review and Badging, version 1.1",
    source="https://www.acm.org/publications/policies/artifact-review-and-badging-current",
    questions=(
        Question(id="Available", text="Is it in a public archive, with a DOI or the like?", advice=_DOI),
        Question(
            id="Functional: documented",
            text="Is there an inventory, and enough description to run it?",
            evidence=("inventory", "commands"),
            settled=True,
        ),
        Question(
            id="Functional: consistent",
            text="Does it belong to the paper, and help to make its main results?",
            evidence=("claims",),
            settled=True,
            advice="Write claims.yaml: one entry for each statement of the paper that the outputs decide.",
        ),
        Question(
            id="Functional: complete",
            text="Are all components that the paper needs in it, as far as possible?",
            evidence=("code", "data", "dependencies"),
            advice="Say which results of the paper are not in it, and why.",
        ),
        Question(
            id="Functional: exercisable",
            text="Do the scripts run, and can results be obtained with them?",
            evidence=("commands", "environment", "replayed"),
            settled=True,
            advice="Replay it yourself before you pack: envfreeze replay.",
        ),
        Question(
            id="Functional: verified and validated",
            text="Is there evidence that it does what the paper says?",
            evidence=("outputs", "replayed"),
            settled=True,
            advice="Replay it yourself before you pack: envfreeze replay.",
        ),
        Question(
            id="Reusable",
            text="Is it so well documented and structured that others can build on it?",
            evidence=("license",),
            advice="Add a licence, and write ARTIFACT.md: envfreeze pack --write-readme.",
        ),
        Question(
            id="Results reproduced",
            text="Can others obtain the main results with it?",
            evidence=("claims", "replayed", "runtime"),
            advice="A reviewer decides this: ./run.sh, or envfreeze replay BUNDLE.",
        ),
    ),
)

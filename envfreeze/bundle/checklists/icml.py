"""ICML's paper guidelines (2023, based on the NeurIPS checklist)."""

from envfreeze.bundle.checklists import Checklist, Question

CHECKLIST = Checklist(
    name="icml",
    title="ICML Paper Guidelines",
    source="https://icml.cc/Conferences/2023/PaperGuidelines",
    questions=(
        Question(id="Ethics", text="Does the paper conform to the guidelines on publication ethics?"),
        Question(id="Impact", text="Are potential negative impacts on society discussed?"),
        Question(
            id="Assets: existing",
            text="Are creators, versions and licences of used code and data named?",
            evidence=("dependencies", "licenses"),
            advice="Packages are listed in sbom.cdx.json; name data sets and models with their licences.",
        ),
        Question(
            id="Assets: new",
            text="Do released assets carry licence and terms of use?",
            evidence=("license",),
            settled=True,
            advice="Put a LICENSE file into the project.",
        ),
        Question(id="Human subjects", text="Are instructions, risks and payment of participants described?"),
        Question(id="Claims", text="Do abstract and introduction match the results?", evidence=("claims",)),
        Question(id="Limitations", text="Are the limitations discussed?"),
        Question(id="Theory", text="Are all assumptions stated and all proofs complete?"),
        Question(
            id="Experiments: code and data",
            text="Are code, data and instructions included that reproduce the main results?",
            evidence=("code", "data_inside", "commands"),
            settled=True,
            advice="Bring the data along: envfreeze pack --with-data FOLDER.",
        ),
        Question(
            id="Experiments: details",
            text="Are splits and hyperparameters given, and how they were chosen?",
            evidence=("hyperparameters",),
            advice="The values are recorded; say how they were chosen.",
        ),
        Question(
            id="Experiments: variation",
            text="Are error bars given, and what they stand for?",
            evidence=("runs",),
            advice="Run it under several seeds: envfreeze sweep --seeds 16; then say what the bars show.",
        ),
        Question(
            id="Experiments: resources",
            text="Are amount of compute and kind of resources given?",
            evidence=("hardware", "runtime"),
            settled=True,
        ),
        Question(id="Anonymity", text="Is the submission free of names of persons and institutions?"),
    ),
)

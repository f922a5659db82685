"""The NeurIPS Paper Checklist."""

from envfreeze.bundle.checklists import Checklist, Question

CHECKLIST = Checklist(
    name="neurips",
    title="NeurIPS Paper Checklist",
    source="https://neurips.cc/public/guides/PaperChecklist",
    questions=(
        Question(
            id="1 Claims",
            text="Do abstract and introduction reflect the contributions and scope?",
            evidence=("claims",),
        ),
        Question(id="2 Limitations", text="Are the limitations discussed?"),
        Question(id="3 Theory", text="Are assumptions and complete proofs given?"),
        Question(
            id="4 Reproducibility",
            text="Is all disclosed that is needed to reproduce the main experimental results?",
            evidence=("environment", "dependencies", "commands", "code", "seeds"),
            settled=True,
        ),
        Question(
            id="5 Open access to data and code",
            text="Are data and code accessible, with instructions to reproduce the main results?",
            evidence=("code", "data_inside", "commands"),
            advice="The bundle holds them; say under which address it is public.",
        ),
        Question(
            id="6 Setting and details",
            text="Are splits, hyperparameters, how they were chosen, and the optimiser given?",
            evidence=("hyperparameters",),
            advice="The values are recorded; say how they were chosen.",
        ),
        Question(
            id="7 Statistical significance",
            text="Are error bars or tests of significance reported and explained?",
            evidence=("runs",),
            advice="Run it under several seeds: envfreeze sweep --seeds 16; then say what the bars show.",
        ),
        Question(
            id="8 Compute resources",
            text="Are kind of processor, memory and time of each experiment given?",
            evidence=("hardware", "runtime"),
            settled=True,
        ),
        Question(id="9 Code of ethics", text="Does the research follow the NeurIPS Code of Ethics?"),
        Question(id="10 Broader impacts", text="Are positive and negative impacts discussed?"),
        Question(id="11 Safeguards", text="Are there safeguards for what can be misused?"),
        Question(
            id="12 Licences of assets",
            text="Are creators of used assets credited, and their licences named and kept?",
            evidence=("licenses",),
            advice="Packages are listed in sbom.cdx.json; name data sets and models with their licences.",
        ),
        Question(
            id="13 New assets",
            text="Are new assets documented, beside the assets themselves?",
            evidence=("inventory", "license"),
        ),
        Question(id="14 Human subjects", text="Are instructions and payment of participants given?"),
        Question(id="15 Review boards", text="Are risks to participants and approvals described?"),
        Question(id="16 Language models", text="Is the use of language models in the method declared?"),
    ),
)

"""The Machine Learning Reproducibility Checklist, version 2.0 (7 April 2020)."""

from envfreeze.bundle.checklists import Checklist, Question

CHECKLIST = Checklist(
    name="mlrc",
    title="The Machine Learning Reproducibility Checklist, version 2.0",
    source="https://www.jmlr.org/papers/v22/20-303.html",
    questions=(
        Question(id="Models: setting", text="Is the mathematical setting, algorithm or model described?"),
        Question(id="Models: assumptions", text="Are all assumptions explained?"),
        Question(id="Models: complexity", text="Is complexity (time, space, samples) analysed?"),
        Question(id="Theory: statement", text="Is each theoretical claim stated clearly?"),
        Question(id="Theory: proof", text="Is each theoretical claim proved completely?"),
        Question(
            id="Data: statistics",
            text="Are the relevant statistics given, such as the number of examples?",
            evidence=("data",),
        ),
        Question(id="Data: splits", text="Are training, validation and test splits given?"),
        Question(id="Data: preparation", text="Are exclusions and all steps of preparation explained?"),
        Question(
            id="Data: link",
            text="Is there a link to the data or the simulation?",
            evidence=("data_inside",),
            settled=True,
            advice="Bring the data along (pack --with-data FOLDER), or name where they are downloaded.",
        ),
        Question(id="Data: collection", text="Is the collection of new data described completely?"),
        Question(
            id="Code: dependencies",
            text="Are the dependencies specified?",
            evidence=("dependencies", "environment"),
            settled=True,
        ),
        Question(id="Code: training", text="Is the training code there?", evidence=("code", "commands")),
        Question(id="Code: evaluation", text="Is the evaluation code there?", evidence=("code", "commands")),
        Question(id="Code: models", text="Are trained models there?", evidence=("outputs",)),
        Question(
            id="Code: README",
            text="Does the README hold a table of results with the command of each?",
            evidence=("commands", "claims"),
            settled=True,
            advice="Write claims.yaml: the README then has a table of them.",
        ),
        Question(
            id="Results: hyperparameters",
            text="Are ranges, method of selection, and all values of hyperparameters given?",
            evidence=("hyperparameters",),
            advice="The values are recorded; say which ranges were searched, and how the best was chosen.",
        ),
        Question(
            id="Results: runs",
            text="Is the exact number of training and evaluation runs given?",
            evidence=("runs",),
            settled=True,
            advice="Run it under several seeds: envfreeze sweep --seeds 16.",
        ),
        Question(id="Results: measure", text="Is the measure clearly defined?", evidence=("claims",)),
        Question(
            id="Results: variation",
            text="Are results given with central tendency and variation?",
            evidence=("runs",),
            advice="envfreeze sweep gives mean, deviation and intervals; put them into the paper.",
        ),
        Question(
            id="Results: runtime",
            text="Is the average run time or energy given?",
            evidence=("runtime",),
            settled=True,
        ),
        Question(
            id="Results: infrastructure",
            text="Is the computing infrastructure described?",
            evidence=("hardware",),
            settled=True,
        ),
    ),
)

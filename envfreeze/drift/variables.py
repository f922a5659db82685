"""Variables that matter for results. A replay sets them as they were, so that other values are only noted."""

from __future__ import annotations

from envfreeze.drift import Area, Here, Looked


def look(here: Here) -> Looked:
    """Compare the recorded values with this shell's, without those that the profile had set."""
    run = here.lock.run
    if run is None:
        return Looked(count=0)
    applied = {setting.variable for setting in run.settings if setting.kind == "variable"}
    compared = {name: value for name, value in run.environment.items() if name not in applied}
    other = sorted(name for name, value in compared.items() if here.environment.get(name) != value)
    notes = (f"other values than in the run, here: {', '.join(other)}",) if other else ()
    return Looked(count=len(compared), notes=notes)


AREA = Area(name="variables", summary="variables that matter for results (noted only)", look=look)

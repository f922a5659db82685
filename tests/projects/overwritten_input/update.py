"""Continues from a state that it then overwrites, and rewrites its table in place."""

import json
from pathlib import Path

state = json.loads(Path("state.json").read_text())
state["epoch"] += 1
state["losses"].append(state["losses"][-1] / 2)
Path("state.json").write_text(json.dumps(state))

with open("table.txt", "r+") as stream:
    lines = sorted(stream)
    stream.seek(0)
    stream.writelines(lines)

Path("spent.txt").unlink()
print("epoch", state["epoch"])

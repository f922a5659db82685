"""Reads through a link to a folder elsewhere, and through one to a file of the project."""

from pathlib import Path

values = [float(line) for line in Path("data/values.txt").read_text().split()]
scale = float(Path("current.cfg").read_text())
Path("scaled.txt").write_text("".join(f"{value * scale}\n" for value in values))
print(Path("data").is_symlink(), Path("current.cfg").is_symlink())

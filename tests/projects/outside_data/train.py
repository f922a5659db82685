"""Reads a table by an absolute path from a variable, and the labels by a relative one."""

import csv
import os
from pathlib import Path

with open(Path(os.environ["DATASETS"], "table.csv"), newline="") as stream:
    rows = list(csv.DictReader(stream))
labels = Path("../datasets/labels.txt").read_text().split()
with open("joined.csv", "w") as out:
    for row, label in zip(rows, labels, strict=True):
        print(row["x"], row["y"], label, sep=",", file=out)
print("rows", len(rows))

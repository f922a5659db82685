"""Counts lines in files whose names are bytes of an old encoding."""

import os

for name in sorted(os.listdir(b"data")):
    with open(os.path.join(b"data", name), "rb") as stream:
        lines = stream.readlines()
    with open(b"counts of " + name, "w") as out:
        print(len(lines), file=out)
    print(name, len(lines))

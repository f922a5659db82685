"""Compares an experiment's new outputs with the original ones, byte by byte; for Python 3.6 and newer.

    python check.py EXPERIMENT RESULTS EXIT_STATUS PROJECT

envfreeze compares by meaning too (numbers within a tolerance, pictures, tables): see README.md.
"""

import hashlib
import os
import re
import sys


def digest(path):
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            found.update(chunk)
    return found.hexdigest()


def files(folder):
    for here, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(here, name)
            yield os.path.relpath(path, folder), path


def recorded_status(experiment):
    """The original's exit status, as the lock says it."""
    with open(os.path.join(experiment, "envfreeze.lock"), encoding="utf-8") as stream:
        found = re.search(r"(?m)^  exit_status: (\d+)$", stream.read())
    return int(found.group(1)) if found else 0


def main(experiment, results, status, project):
    differing = compared = 0
    if int(status) != recorded_status(experiment):
        print("different  exit status {} instead of {}".format(status, recorded_status(experiment)))
        differing += 1
    pairs = [
        (name, path, os.path.join(results, "project", name))
        for name, path in sorted(files(os.path.join(experiment, "outputs")))
    ]
    pairs.append(("<standard output>", os.path.join(experiment, "stdout"), os.path.join(results, "stdout")))
    for name, original, replay in pairs:
        compared += 1
        if not os.path.isfile(replay):
            word = "missing"
        elif digest(original) == digest(replay):
            word = "identical"
        else:
            word = "different"
        differing += word != "identical"
        print("{:<10} {}".format(word, name.encode("ascii", "backslashreplace").decode()))
    claims = claims_of(experiment, results)
    failing = [claim for claim in claims if not claim[0]]
    for holds, text in claims:
        print("{:<10} {}".format("holds" if holds else "fails", text))
    if not differing:
        print("Reproduced: {} outputs identical, bit for bit.".format(compared))
        return 0
    if claims and not failing:
        print("Same conclusion: {} of {} outputs differ, and every claim holds.".format(differing, compared))
        return 0
    print("Not reproduced bit for bit: {} of {} outputs differ.".format(differing, compared))
    return 1


def claims_of(experiment, results):
    """(holds, text) for each claim; none are known here."""
    return []


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))

"""Compares an experiment's new outputs with the original ones, byte by byte; for Python 3.6 and newer.

    python check.py EXPERIMENT RESULTS EXIT_STATUS PROJECT

envfreeze compares by meaning too (numbers within a tolerance, pictures, tables): see README.md.
"""

import csv
import decimal
import hashlib
import json
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
    differing = compared = broken = 0
    if int(status) != recorded_status(experiment):
        print("different  exit status {} instead of {}".format(status, recorded_status(experiment)))
        differing += 1
        broken += 1
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
        broken += word == "missing"
        print("{:<10} {}".format(word, name.encode("ascii", "backslashreplace").decode()))
    claims = claims_of(experiment, results)
    failing = [claim for claim in claims if not claim[0]]
    for holds, text in claims:
        word = "unknown" if holds is None else "holds" if holds else "fails"
        print("{:<10} {}".format(word, text.encode("ascii", "backslashreplace").decode()))
    if not differing and not failing:
        print("Reproduced: {} outputs identical, bit for bit.".format(compared))
        return 0
    if claims and not failing and not broken:
        print("Same conclusion: {} of {} outputs differ, and every claim holds.".format(differing, compared))
        return 0
    if failing:
        print("Not reproduced: {} of {} claims do not hold.".format(len(failing), len(claims)))
        return 1
    print("Not reproduced bit for bit: {} of {} outputs differ.".format(differing, compared))
    print(about_randomness(experiment))
    return 1


def about_randomness(experiment):
    """Why outputs may differ although nothing is wrong, and what helps."""
    hint = "A program without a seed draws other random numbers and times here than in the original run"
    if os.path.isdir(os.path.join(experiment, ".envfreeze", "tapes")):
        return hint + "; envfreeze replay gives it the recorded ones, which travel along."
    return hint + "; the recorded ones do not travel along."


def claims_of(experiment, results):
    """(holds, text) for each claim of the paper; holds is None where it cannot be decided here."""
    path = os.path.join(experiment, "claims.json")
    if not os.path.isfile(path):
        return []
    with open(path, encoding="utf-8") as stream:
        claims = json.load(stream)
    found = []
    for claim in claims:
        values = []
        holds = decided(claim["holds"], results, values)
        where = " ({})".format(claim["location"]) if claim["location"] else ""
        text = "{}{}: {}".format(claim["text"] or claim["id"], where, claim["written"])
        found.append((holds, "{} [{}]".format(text, "; ".join(values))))
    return found


class Unknown(Exception):
    """A value is not there, or lies in a file that only envfreeze reads."""


class NotFinite(Exception):
    """A value is NaN or infinite: no statement about it holds."""


def decided(node, results, values):
    """Whether a whole claim holds; about what is no finite number, none does."""
    try:
        return truth(node, results, values)
    except NotFinite as error:
        values.append(str(error))
        return False


def truth(node, results, values):
    """Yes, no, or None for what cannot be decided: Kleene's logic of three values."""
    if node["kind"] == "Logic":
        found = [truth(operand, results, values) for operand in node["operands"]]
        if node["operator"] == "not":
            return None if found[0] is None else not found[0]
        decisive = node["operator"] == "or"
        if decisive in found:
            return decisive
        return None if None in found else not decisive
    try:
        if node["kind"] == "Range":
            value, low, high = (number(node[part], results, values) for part in ("value", "low", "high"))
            above = value >= low if node["with_low"] else value > low
            return above and (value <= high if node["with_high"] else value < high)
        return comparing(node, results, values)
    except (Unknown, decimal.DecimalException) as error:
        values.append(str(error) or "a division by zero")
        return None


def comparing(node, results, values):
    left, right = number(node["left"], results, values), number(node["right"], results, values)
    operator = node["operator"]
    if node["margin"] is not None:
        margin = number(node["margin"], results, values)
        apart = EXACT.subtract(left, right)
        if operator == "~=":
            return abs(apart) <= margin
        ahead = apart if operator in (">", ">=") else -apart
        return ahead >= margin and (ahead > 0 or operator in (">=", "<="))
    return {
        ">": left > right,
        ">=": left >= right,
        "<": left < right,
        "<=": left <= right,
        "==": left == right,
        "!=": left != right,
    }[operator]


EXACT = decimal.Context(
    prec=50, Emax=9999, Emin=-9999, traps=[decimal.InvalidOperation, decimal.DivisionByZero]
)


def number(node, results, values):
    if node["kind"] == "Number":
        return decimal.Decimal(node["value"])
    if node["kind"] == "Calculation":
        operands = [number(operand, results, values) for operand in node["operands"]]
        operations = {
            "+": lambda: EXACT.add(*operands),
            "-": lambda: EXACT.subtract(*operands),
            "*": lambda: EXACT.multiply(*operands),
            "/": lambda: EXACT.divide(*operands),
            "abs": lambda: abs(operands[0]),
            "min": lambda: min(operands),
            "max": lambda: max(operands),
        }
        return operations[node["operator"]]()
    value = look_up(node["path"], node["steps"], results)
    if value != value or value in (float("inf"), float("-inf")):
        raise NotFinite("a value in {} is {}".format(node["path"], value))
    values.append("{} = {!r}".format(node["path"], value))
    return decimal.Decimal(repr(value))


def look_up(name, steps, results):
    """The number at the end of a selector, in JSON, a table of separated values, or a log."""
    path = os.path.join(results, "stdout") if name == "<stdout>" else os.path.join(results, "project", name)
    if not os.path.isfile(path):
        raise Unknown("there is no output {}".format(name))
    with open(path, encoding="utf-8-sig", errors="replace") as stream:
        text = stream.read()
    suffix = "" if name == "<stdout>" else os.path.splitext(name)[1].lower()
    try:
        if suffix in (".csv", ".tsv", ".tab"):
            return of_table(text, steps)
        if suffix in (".json", ".jsonl", ".ndjson", "") and text.lstrip()[:1] in ("{", "["):
            return of_json(text, steps)
        if suffix in (".log", ".txt", ".out", ".md", ""):
            return of_log(text, steps)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Unknown("{}: there is no such value ({})".format(name, error)) from None
    raise Unknown("{} is read by envfreeze only".format(name))


def of_json(text, steps):
    try:
        value = json.loads(text)
    except ValueError:
        value = json.loads([line for line in text.splitlines() if line.strip()][-1])
    for step in steps:
        if step["kind"] == "Where" or (step["kind"] == "Key") != isinstance(value, dict):
            raise KeyError(str(step))
        value = value[step["name"] if step["kind"] == "Key" else step["place"]]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("no number")
    return float(value)


def of_table(text, steps):
    lines = text.splitlines()
    separator = csv.Sniffer().sniff("\n".join(lines[:20]), delimiters=",;\t|").delimiter
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator) if row]
    columns, rows = rows[0], rows[1:]
    row = steps[0] if len(steps) > 1 else {"kind": "Index", "place": -1}
    if row["kind"] == "Where":
        conditions = [(columns.index(column), wanted) for column, wanted in row["conditions"]]
        rows = [cells for cells in rows if all(cells[place] == wanted for place, wanted in conditions)]
        if len(rows) != 1:
            raise ValueError("{} rows fit".format(len(rows)))
        cells = rows[0]
    else:
        cells = rows[row["place"]]
    return float(cells[columns.index(steps[-1]["name"])])


PAIR = re.compile(
    r"(?<![\w./@%-])([A-Za-z][\w/@%-]*(?:[ .][A-Za-z][\w/@%-]*){0,4})[ \t]*[:=][ \t]*"
    r"([-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?(?:nan|inf))(%?)(?![\w:/-]|\.\w)",
    re.IGNORECASE | re.ASCII,
)


def of_log(text, steps):
    name = ".".join(step["name"] for step in steps if step["kind"] == "Key")
    places = [step["place"] for step in steps if step["kind"] == "Index"]
    values = [
        float(found) / 100 if percent else float(found)
        for word, found, percent in PAIR.findall(text)
        if " ".join(word.split()) == name
    ]
    return values[places[0] if places else -1]


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))

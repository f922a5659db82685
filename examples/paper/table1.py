"""Table 1: accuracy of three classifiers on Fisher's irises, repeated 5-fold cross-validation."""
import argparse
import csv

import numpy as np

from methods import METHODS, load

parser = argparse.ArgumentParser()
parser.add_argument("--repeats", type=int, default=40)
parser.add_argument("--seed", type=int, default=1936)
options = parser.parse_args()

x, y = load()
random = np.random.default_rng(options.seed)
scores = {name: [] for name in METHODS}
for _ in range(options.repeats):
    for test in np.array_split(random.permutation(len(x)), 5):
        train = np.setdiff1d(np.arange(len(x)), test)
        for name, method in METHODS.items():
            scores[name].append((method(x[train], y[train], x[test]) == y[test]).mean())

with open("table1.csv", "w", newline="") as stream:
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["method", "accuracy", "sd"])
    for name, values in scores.items():
        table.writerow([name, f"{np.mean(values):.4f}", f"{np.std(values, ddof=1):.4f}"])
        print(f"{name} accuracy = {np.mean(values):.4f}")

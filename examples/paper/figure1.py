"""Figure 1: accuracy of the same classifiers after n training flowers of each species."""
import argparse
import csv

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from methods import METHODS, load

parser = argparse.ArgumentParser()
parser.add_argument("--repeats", type=int, default=100)
parser.add_argument("--seed", type=int, default=1936)
options = parser.parse_args()

x, y = load()
random = np.random.default_rng(options.seed)
sizes = [2, 4, 8, 16, 32]
curves = {name: [] for name in METHODS}
for size in sizes:
    scores = {name: [] for name in METHODS}
    for _ in range(options.repeats):
        train = np.concatenate([random.permutation(np.flatnonzero(y == label))[:size] for label in range(3)])
        test = np.setdiff1d(np.arange(len(x)), train)
        for name, method in METHODS.items():
            scores[name].append((method(x[train], y[train], x[test]) == y[test]).mean())
    for name in METHODS:
        curves[name].append(np.mean(scores[name]))

with open("figure1.csv", "w", newline="") as stream:
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(["flowers", *METHODS])
    table.writerows([size, *(f"{curves[name][place]:.4f}" for name in METHODS)] for place, size in enumerate(sizes))
for name, values in curves.items():
    plt.plot(sizes, values, marker="o", label=name)
plt.xscale("log", base=2)
plt.xlabel("training flowers of each species")
plt.ylabel("accuracy")
plt.legend()
plt.savefig("figure1.png", dpi=80)

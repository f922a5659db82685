"""Fits a line by gradient descent; every setting is an option with a default."""

import argparse
import json
import random

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--lr", type=float, default=0.05)
parser.add_argument("--seed", type=int)
parser.add_argument("--out", default="metrics.json")
options = parser.parse_args()

random.seed(options.seed)
points = [(x / 10, 3 * x / 10 + random.gauss(0, 0.1)) for x in range(20)]
slope = random.random()
for _ in range(options.epochs):
    slope -= options.lr * sum((slope * x - y) * x for x, y in points) / len(points)
with open(options.out, "w") as stream:
    json.dump({"slope": slope, "settings": vars(options)}, stream)
print(f"slope {slope:.6f}")

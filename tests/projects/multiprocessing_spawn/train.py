"""A pool of spawned workers, each with a generator that nobody seeded."""

import json
import multiprocessing
import random

from simulate import simulate

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        means = pool.map(simulate, range(4), chunksize=1)
    with open("means.json", "w") as stream:
        json.dump(means, stream)
    print("runs", len(means), "salt", random.randrange(10))

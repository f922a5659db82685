"""Loads samples in worker processes as torch's DataLoader does: forked workers, a queue of indices for each,
results put back into order, a base seed drawn in the parent, and a shuffle that nobody seeded."""

import multiprocessing
import os
import random
from pathlib import Path

WORKERS = 2
BATCH = 2
PATHS = sorted(Path("samples").glob("*.txt"))


def work(number, seed, indices, results):
    random.seed(seed + number)
    while (task := indices.get()) is not None:
        place, batch = task
        values = [float(PATHS[index].read_text()) for index in batch]
        results.put((place, [value + random.random() for value in values]))


def batches(context):
    order = list(range(len(PATHS)))
    random.shuffle(order)
    groups = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    base_seed = int.from_bytes(os.urandom(4), "little")
    results = context.Queue()
    queues = [context.Queue() for _ in range(WORKERS)]
    workers = [
        context.Process(target=work, args=(number, base_seed, queue, results), daemon=True)
        for number, queue in enumerate(queues)
    ]
    for worker in workers:
        worker.start()
    for place, group in enumerate(groups):
        queues[place % WORKERS].put((place, group))
    waiting = {}
    for place in range(len(groups)):
        while place not in waiting:
            found, values = results.get(timeout=30)
            waiting[found] = values
        yield waiting.pop(place)
    for queue in queues:
        queue.put(None)
    for worker in workers:
        worker.join()


if __name__ == "__main__":
    weight = 0.0
    with open("loss.txt", "w") as log:
        for batch in batches(multiprocessing.get_context("fork")):
            weight += 0.1 * (sum(batch) / len(batch) - weight)
            print(weight, file=log)
    print("weight", weight)

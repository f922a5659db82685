import random
from pathlib import Path


def simulate(number: int) -> float:
    """The mean depends on the run's number alone, whichever worker gets it."""
    generator = random.Random(number)
    steps = int(Path("steps.txt").read_text())
    return sum(generator.gauss(0, 1) for _ in range(steps)) / steps

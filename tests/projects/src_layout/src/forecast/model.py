from importlib.resources import files

COEFFICIENTS = [float(word) for word in (files("forecast") / "coefficients.txt").read_text().split()]


def predict(x):
    return sum(coefficient * x**power for power, coefficient in enumerate(COEFFICIENTS))

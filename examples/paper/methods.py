"""Three classifiers in numpy: nearest centroid, k nearest neighbours, linear discriminant analysis."""
import csv

import numpy as np


def load(path="data/iris.csv"):
    """Measurements (150 × 4, cm) and species (150 whole numbers)."""
    with open(path, newline="") as stream:
        rows = list(csv.reader(stream))[1:]
    names = sorted({row[-1] for row in rows})
    return np.array([row[:-1] for row in rows], float), np.array([names.index(row[-1]) for row in rows])


def centroids(x, y):
    return np.array([x[y == label].mean(axis=0) for label in np.unique(y)])


def nearest_centroid(x, y, new):
    return ((new[:, None] - centroids(x, y)) ** 2).sum(axis=2).argmin(axis=1)


def neighbours(x, y, new, k=5):
    closest = ((new[:, None] - x) ** 2).sum(axis=2).argsort(axis=1, kind="stable")[:, :k]
    return np.array([np.bincount(y[row]).argmax() for row in closest])


def discriminant(x, y, new):
    """One covariance for all classes, pulled a little towards the unit matrix so that it can be inverted."""
    means = centroids(x, y)
    inside = x - means[y]
    covariance = inside.T @ inside / len(x) + 1e-3 * np.eye(x.shape[1])
    weights = np.linalg.solve(covariance, means.T)
    return (new @ weights - 0.5 * (means.T * weights).sum(axis=0)).argmax(axis=1)


METHODS = {"centroid": nearest_centroid, "neighbours": neighbours, "discriminant": discriminant}

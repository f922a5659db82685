"""Recognise handwritten digits: logistic regression and a small forest on scikit-learn's own data.

Writes metrics.json, predictions.csv, model.joblib and confusion.png into results/.
"""

import argparse
import csv
import json
from pathlib import Path

import joblib
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SEED = 7


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--trees", type=int, default=40)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--results", type=Path, default=Path("results"))
    arguments = parser.parse_args()
    arguments.results.mkdir(exist_ok=True)

    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(images, labels, test_size=0.25, random_state=arguments.seed)
    models = {
        "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)),
        "forest": RandomForestClassifier(n_estimators=arguments.trees, random_state=arguments.seed),
    }
    metrics = {}
    predictions = {}
    for name, model in models.items():
        model.fit(train_x, train_y)
        predictions[name] = model.predict(test_x)
        metrics[name] = {
            "accuracy": accuracy_score(test_y, predictions[name]),
            "log_loss": log_loss(test_y, model.predict_proba(test_x)),
        }
        print(f"{name}: accuracy {metrics[name]['accuracy']:.4f}, log loss {metrics[name]['log_loss']:.4f}")

    (arguments.results / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    with open(arguments.results / "predictions.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["label", *models])
        writer.writerows(zip(test_y, *predictions.values()))
    joblib.dump(models["forest"], arguments.results / "model.joblib")

    plt.figure(figsize=(4, 4))
    plt.imshow(confusion_matrix(test_y, predictions["forest"]), cmap="Blues")
    plt.xlabel("predicted")
    plt.ylabel("true")
    plt.tight_layout()
    plt.savefig(arguments.results / "confusion.png", dpi=100)


if __name__ == "__main__":
    main()

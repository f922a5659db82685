"""A forest without a seed on a data set that scikit-learn brings along."""

import json
import pickle

from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score

x, y = load_iris(return_X_y=True)
model = RandomForestClassifier(n_estimators=8)
scores = cross_val_score(model, x, y, cv=3)
model.fit(x, y)
with open("model.pkl", "wb") as stream:
    pickle.dump(model, stream)
with open("metrics.json", "w") as stream:
    json.dump({"scores": scores.tolist(), "importances": model.feature_importances_.tolist()}, stream)
print(f"accuracy {scores.mean():.4f}")

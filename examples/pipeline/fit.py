"""Fit a straight line by least squares: fit.py IN.csv OUT.json"""

import csv
import json
import statistics
import sys

with open(sys.argv[1], newline="") as source:
    rows = list(csv.DictReader(source))
hours = [float(row["hour"]) for row in rows]
temperatures = [float(row["temperature"]) for row in rows]
mean_hour, mean_temperature = statistics.fmean(hours), statistics.fmean(temperatures)
spread = sum((hour - mean_hour) ** 2 for hour in hours)
slope = sum((h - mean_hour) * (t - mean_temperature) for h, t in zip(hours, temperatures)) / spread
line = {"slope": slope, "intercept": mean_temperature - slope * mean_hour}
with open(sys.argv[2], "w") as target:
    json.dump(line, target, indent=2)
print(f"slope {slope:.4f}")

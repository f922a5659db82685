"""Drop rows without a value: prepare.py IN.csv OUT.csv"""

import csv
import sys

with open(sys.argv[1], newline="") as source, open(sys.argv[2], "w", newline="") as target:
    rows = list(csv.DictReader(source))
    writer = csv.DictWriter(target, fieldnames=["hour", "temperature"])
    writer.writeheader()
    kept = [row for row in rows if row["temperature"]]
    writer.writerows(kept)
print(f"kept {len(kept)} of {len(rows)} rows")

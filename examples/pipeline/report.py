"""Say the result in words: report.py IN.json OUT.txt"""

import json
import sys

with open(sys.argv[1]) as source:
    line = json.load(source)
with open(sys.argv[2], "w") as target:
    target.write(f"It warms by {line['slope']:.3f} degrees an hour, from {line['intercept']:.2f} degrees.\n")

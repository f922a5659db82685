#!/usr/bin/env bash
# Three steps of Python, each reading what the one before wrote.
set -euo pipefail
mkdir -p work
python prepare.py data/measurements.csv work/clean.csv
python fit.py work/clean.csv work/line.json
python report.py work/line.json report.txt

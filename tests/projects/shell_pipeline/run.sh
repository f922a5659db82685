#!/usr/bin/env bash
# Cleans, counts and scores words, with tools of the system and a Python step in between.
set -euo pipefail
. ./settings.sh
mkdir -p out
tr ' ' '\n' < words.txt | grep -v '^$' | sort | uniq -c | sort -k1,1nr -k2 > out/counts.txt
python score.py < out/counts.txt | tee out/scores.txt | sed -n "1,${TOP}p"

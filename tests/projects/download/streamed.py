"""Downloads straight into memory: nothing of it is ever on disk."""

import sys
import urllib.request
from pathlib import Path

with urllib.request.urlopen(sys.argv[1], timeout=5) as answer:
    total = sum(map(int, answer.read().split()))
Path("total.txt").write_text(f"{total}\n")

"""Downloads a data set unless it is there already, as many training scripts do."""

import sys
import urllib.request
from pathlib import Path

path = Path("data", "numbers.txt")
if not path.exists():
    path.parent.mkdir(exist_ok=True)
    urllib.request.urlretrieve(sys.argv[1], path)
total = sum(map(int, path.read_text().split()))
Path("total.txt").write_text(f"{total}\n")

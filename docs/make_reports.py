"""Makes the pictures of reports in docs/reports/: real replays of the digits example, in a real browser.

python docs/make_reports.py    # needs Chromium, and `python` on PATH with the example's packages
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "reports"
WIDTH = 1000
CURVE = """\
import csv, os, random
from pathlib import Path
generator = random.Random(7)
drop = float(os.environ.get("DROP", "0.90"))
weight, rows = 1.0, []
for step in range(60):
    if step == 34 and Path("late.txt").exists():
        drop = 0.87
    weight *= drop + generator.random() / 50
    rows.append((step, weight, 1 - weight / 3))
csv.writer(open("curve.csv", "w")).writerows([("step", "loss", "accuracy"), *rows])
print("final loss:", rows[-1][1])
"""


def envfreeze(*arguments: str | Path, folder: Path) -> None:
    """Run it; a replay that differs is what some pictures are of."""
    command = [sys.executable, "-m", "envfreeze", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode > 1:
        sys.exit(done.stderr)


def picture(page: Path, name: str, height: int) -> None:
    """A screenshot of the top of a page, in few colours."""
    text = page.read_text()
    # The folder of this recording means nothing to a reader.
    page.write_text(re.sub(re.escape(tempfile.gettempdir()) + r"/[\w-]+", "/home/user", text))
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
             "--disable-background-networking", f"--user-data-dir={folder}/profile",
             f"--window-size={WIDTH},{height}", f"--screenshot={shot}", page.as_uri()],
            check=True, capture_output=True,
        )  # fmt: skip
        image = Image.open(shot).convert("P", palette=Image.Palette.ADAPTIVE, colors=128)
        TARGET.mkdir(exist_ok=True)
        image.save(TARGET / f"{name}.png", optimize=True)
    print(f"wrote {TARGET / name}.png")


def main() -> None:
    """One picture a kind of verdict, and one of a sweep."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "digits"
        shutil.copytree(ROOT / "examples" / "digits", folder)
        envfreeze("freeze", "--", "python", "train.py", folder=folder)
        page = folder.parent / "report.html"
        envfreeze("replay", "--engine", "local", "--report", page, folder=folder)
        picture(page, "identical", 1150)

        changed = folder.parent / "changed"
        shutil.copytree(ROOT / "examples" / "digits", changed)
        script = changed / "train.py"
        script.write_text(script.read_text().replace("SEED = 7", "SEED = 8"))
        envfreeze("replay", "--engine", "local", "--code", changed, "--report", page, folder=folder)
        picture(page, "different-pictures", 2100)

        envfreeze("sweep", "--seeds", "16", "--engine", "local", folder=folder)
        (sweep,) = (folder / ".envfreeze" / "sweeps").iterdir()
        envfreeze("report", sweep, "-o", page, folder=folder)
        picture(page, "sweep", 1300)

        curves = folder.parent / "curves"
        curves.mkdir()
        (curves / "train.py").write_text(CURVE)
        envfreeze("freeze", "--no-prove", "--", "python", "train.py", folder=curves)
        late = folder.parent / "late"
        shutil.copytree(curves, late, ignore=shutil.ignore_patterns(".envfreeze"))
        (late / "late.txt").write_text("")
        envfreeze("replay", "--engine", "local", "--code", late, "--report", page, folder=curves)
        picture(page, "different-curves", 1500)

        close = folder.parent / "close"
        shutil.copytree(folder / "results", close)
        predictions = (close / "metrics.json").read_text()
        nudged = re.sub(r"0\.\d{12,}", lambda found: repr(float(found[0]) * (1 + 3e-16)), predictions)
        (close / "metrics.json").write_text(nudged)
        options = ("--require", "close", "--report", page)
        envfreeze("diff", folder / "results", close, *options, folder=folder)
        picture(page, "close", 900)


if __name__ == "__main__":
    main()

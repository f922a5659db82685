"""Records the README's terminal picture: the real commands, on the digits example, in a real terminal.

    python docs/make_picture.py    # writes docs/loop.svg

Needs an environment with the example's packages as ``python`` on PATH.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
WIDTH = 96


def in_terminal(command: list[str], folder: Path) -> str:
    """What a command prints when it sees a terminal."""
    master, slave = pty.openpty()
    environment = os.environ | {"COLUMNS": str(WIDTH), "TERM": "xterm-256color", "LINES": "60"}
    process = subprocess.Popen(command, cwd=folder, stdout=slave, stderr=slave, stdin=slave, env=environment)
    os.close(slave)
    output = b""
    while True:
        try:
            part = os.read(master, 1 << 16)
        except OSError:
            break
        if not part:
            break
        output += part
    process.wait()
    os.close(master)
    return output.decode().replace("\r", "")


def main() -> None:
    """Run the loop and draw it."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "digits"
        shutil.copytree(ROOT / "examples" / "digits", folder)
        changed = folder.parent / "changed"
        shutil.copytree(folder, changed)
        script = changed / "train.py"
        script.write_text(script.read_text().replace("SEED = 7", "SEED = 8"))
        for words in ("freeze -- python train.py", "replay", "replay --code ../changed"):
            console.print(Text(f"$ envfreeze {words}", style="bold"))
            said = in_terminal([sys.executable, "-m", "envfreeze", *words.split()], folder)
            # The folder of this recording means nothing to a reader.
            said = re.sub(re.escape(name), "/home/user", said)
            console.print(Text.from_ansi(said.rstrip("\n")))
            console.print()
    target = ROOT / "docs" / "loop.svg"
    picture = console.export_svg(title="envfreeze")
    # A picture asks no server for fonts; any monospaced one will do.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    target.write_text(picture.replace("Fira Code", "monospace"))
    print(f"wrote {target}")


if __name__ == "__main__":
    main()

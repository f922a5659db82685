"""A batch script for Slurm that runs the recorded command in the frozen image by Apptainer.

Sources: https://slurm.schedmd.com/sbatch.html, https://apptainer.org/docs/user/main/cli/apptainer_exec.html.
"""

from __future__ import annotations

import math
import shlex

from envfreeze.exports import Export
from envfreeze.exports._files import MADE_BY
from envfreeze.exports._layouts import command_line, run_of, subfolder
from envfreeze.gpus import recorded
from envfreeze.records.lock import Lock

LEAST_MEMORY = 1 << 30
"""Bytes."""
LEAST_TIME = 600
"""Seconds."""


def render(lock: Lock, wheels: str) -> tuple[str, ...]:
    """What is asked of Slurm is the recorded use and as much again: another node may be slower."""
    from envfreeze.recipe import recipe_of

    run, identity = run_of(lock), recipe_of(lock).environment_id
    minutes = math.ceil(max(LEAST_TIME, 2 * run.duration) / 60)
    memory = math.ceil(max(LEAST_MEMORY, 2 * run.peak_memory) / (1 << 20))
    gpus = recorded(lock)
    place = shlex.quote(f"/workspace/{subfolder(run)}".rstrip("/"))
    image = f"environments/{identity[:12]}/image"
    lines = [
        "#!/bin/bash",
        f"# {MADE_BY}: sbatch envfreeze.sbatch, in the project's folder.",
        "#",
        "# The image is made once, from a bundle that was packed where Docker or Podman is:",
        "#   envfreeze pack --with-image -o paper.envfreeze.zip && unzip -d paper paper.envfreeze.zip",
        f"#   apptainer build envfreeze.sif oci:paper/{image}:{identity[:16]}",
        "#",
        "#SBATCH --job-name=envfreeze",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks=1",
        f"#SBATCH --cpus-per-task={max(1, lock.cpu.usable_cores)}",
        f"#SBATCH --mem={memory}M",
        f"#SBATCH --time={minutes}",
        *([f"#SBATCH --gpus={len(gpus)}"] if gpus else []),
        "set -euo pipefail",
        'PROJECT="${PROJECT:-${SLURM_SUBMIT_DIR:-$PWD}}"',
        'IMAGE="${IMAGE:-$PROJECT/envfreeze.sif}"',
        'if [ ! -e "$IMAGE" ]; then',
        '    echo "there is no $IMAGE; the head of this script says how it is made" >&2',
        "    exit 3",
        "fi",
        "# The run sees the project alone, without network and without the user's home and variables.",
        "srun apptainer exec --containall --no-home --net --network none \\",
        *([f"    {_gpu_option(lock)} \\"] if gpus else []),
        f'    --bind "$PROJECT":/workspace --pwd {place} \\',
        f'    "$IMAGE" {command_line(run)}',
    ]
    return ("".join(f"{line}\n" for line in lines),)


def _gpu_option(lock: Lock) -> str:
    return "--nv" if lock.cuda is not None and lock.cuda.gpus else "--rocm"


EXPORT = Export(
    name="slurm",
    summary="sbatch envfreeze.sbatch: the recorded run by Apptainer",
    files=("envfreeze.sbatch",),
    render=render,
)

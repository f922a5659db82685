"""GPUs for a container: asked for by name when the user allows them, and kept away when not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envfreeze.errors import EnvironmentFailure
from envfreeze.gpus import require
from envfreeze.records.run import Gpus, Image

if TYPE_CHECKING:
    from docker import DockerClient

_CAPABILITIES = [["gpu", "compute", "utility"]]
"""CUDA and nvidia-smi; no graphics (Container Toolkit, "Driver Capabilities")."""
_REFUSED = re.compile(
    r"could not select device driver|nvidia-container-cli[^\n]*|nvidia-container-runtime[^\n]*"
    r"|unresolvable CDI devices[^\n]*|failed to discover GPU[^\n]*|unknown device[^\n]*"
)


def gpu_options(client: DockerClient, gpus: Gpus | None, engine: str = "docker") -> dict[str, Any]:
    """Arguments of ``containers.create``.

    Raises:
        EnvironmentFailure: this machine has no AMD GPU, where one is asked for, or Podman is to give one of
            NVIDIA's, as its service passes over the request without a word
            (https://github.com/podman-container-tools/podman/issues/19338).
    """
    if gpus is None:
        if engine == "podman":
            return {}
        # As the default runtime, NVIDIA's gives GPUs to every image that asks by a variable.
        default = str(client.info().get("DefaultRuntime", ""))
        return {"runtime": "runc"} if "nvidia" in default else {}
    if gpus.vendor == "amd":
        return _of_amd(gpus)
    if engine == "podman":
        raise EnvironmentFailure(
            "the engine podman cannot be asked for NVIDIA GPUs.",
            hint="Use --engine docker or --engine local.",
        )
    from docker.types import DeviceRequest

    # The engine takes either a count, of which -1 means all, or names.
    count = 0 if gpus.devices else -1 if gpus.count is None else gpus.count
    request = DeviceRequest(count=count, device_ids=list(gpus.devices), capabilities=_CAPABILITIES)
    return {"device_requests": [request]}


def variables(client: DockerClient, image: Image, gpus: Gpus | None) -> dict[str, str]:
    """What takes back an image's own wish for GPUs, which a stranger may have put into it.

    NVIDIA's runtime, and its hook for Podman, read the variable; ``void`` means none at all (documentation of
    the Container Toolkit, "Specialized Configurations with Docker").
    """
    if gpus is not None:
        return {}
    own = client.images.get(image.reference).attrs["Config"].get("Env") or ()
    wishes = any(str(text).startswith(f"{_WISH}=") for text in own)
    return {_WISH: "void"} if wishes else {}


_WISH = "NVIDIA_VISIBLE_DEVICES"


def _of_amd(gpus: Gpus) -> dict[str, Any]:
    """The devices themselves, and the groups that own them (ROCm documentation, "ROCm Docker containers")."""
    require(gpus)
    nodes = sorted(Path("/dev/dri").glob("renderD*"), key=lambda path: int(path.name.removeprefix("renderD")))
    if gpus.devices:
        nodes = [nodes[int(name)] for name in gpus.devices if name.isdigit() and int(name) < len(nodes)]
    elif gpus.count is not None:
        nodes = nodes[: gpus.count]
    if not nodes:
        raise EnvironmentFailure("this machine has no AMD GPU of that number.", hint="Try: --gpus all")
    paths = [Path("/dev/kfd"), *nodes]
    return {
        "devices": [f"{path}:{path}:rw" for path in paths],
        "group_add": sorted({path.stat().st_gid for path in paths}),
    }


def explained(text: str) -> EnvironmentFailure | None:
    """The failure of an engine that has no GPU to give; None for any other."""
    match = _REFUSED.search(text)
    if match is None:
        return None
    why = match[0].strip().rstrip(".")
    return EnvironmentFailure(
        f"the Docker engine cannot give a GPU to a container ({why}).",
        hint="Install the NVIDIA Container Toolkit, or leave --gpus away to run without a GPU.",
    )

"""Docker's tests of what goes into a container and what comes out, on Podman."""

from __future__ import annotations

import pytest

from .test_docker import (  # noqa: F401 - collected here, with the fixtures of podman
    test_folders_outside_of_the_project,
    test_left_out_outputs_are_named,
    test_outputs_are_what_was_written,
    test_project_inside_of_another_folder_of_the_run,
    test_project_lies_where_it_lay,
    test_project_over_the_system_is_moved_and_said,
    test_streams_are_kept_apart_and_whole,
    test_time_limit_keeps_outputs,
    test_variables_reach_the_command,
)
from .test_podman import image, run, store  # noqa: F401 - fixtures

pytestmark = [pytest.mark.podman, pytest.mark.slow]

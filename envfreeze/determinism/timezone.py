"""Time zone: what local times a program writes."""

from __future__ import annotations

from envfreeze.determinism import Library, Rule

LIBRARY = Library(
    name="timezone",
    rules=(
        Rule(
            variable="TZ",
            value=lambda lock: "UTC",
            effect="Local times are in UTC, in a container as on this machine. A recorded run without TZ "
            "took the zone of its machine (/etc/localtime), so local times that it wrote may differ.",
            source="https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html#tag_08_03",
        ),
    ),
)

from __future__ import annotations

import json

FIRST, SECOND = 140560203137936, 140560203138000


def config(first: int = FIRST, second: int = SECOND, third: int = FIRST, units: int = 32) -> str:
    """Three layers, of which the first and the last share their type of number."""

    def layer(address: int) -> dict[str, object]:
        policy = {"class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
        return {
            "class_name": "Dense",
            "config": {"units": units, "dtype": {**policy, "shared_object_id": address}},
        }

    layers = [layer(address) for address in (first, second, third)]
    return json.dumps({"module": "keras", "registered_name": "Sequential", "config": {"layers": layers}})


def test_addresses_are_set_aside_and_listed(judge) -> None:
    found = judge(config(), config(139930539666256, 139930539666300, 139930539666256), "config.json")
    assert found.comparator == "keras-config"
    assert found.finding.verdict == "equivalent"
    assert any("address of an object" in text for text in found.finding.set_aside)


def test_which_layers_share_an_object_counts(judge) -> None:
    assert judge(config(), config(third=SECOND), "config.json").finding.verdict == "different"
    assert judge(config(), config(second=FIRST), "config.json").finding.verdict == "different"


def test_a_setting_counts(judge) -> None:
    found = judge(config(), config(units=33), "config.json")
    assert found.finding.verdict == "different" and "units" in found.finding.reason

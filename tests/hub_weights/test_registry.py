"""What the registry promises of the weights it names."""

from __future__ import annotations

from hub_weights import REGISTRY, find_model


def test_entries_carry_their_own_name() -> None:
    assert all(name == entry.name for name, entry in REGISTRY.items())


def test_what_needs_no_download_is_there() -> None:
    for name, entry in REGISTRY.items():
        if not entry.needs_download:
            assert find_model(name).weights.is_file()

"""The fixed episodes that a run is looked at by."""

from __future__ import annotations

from vrpsam_app.training.batch_source import SyntheticGroups
from vrpsam_app.training.validation import fixed_batches


def test_sources_of_one_name_are_told_apart() -> None:
    batches = fixed_batches([("cells", SyntheticGroups()), ("cells", SyntheticGroups())], size=64)
    assert {name.split("/")[0] for name in batches} == {"cells", "cells (2)"}

"""The table: lazy, and complete."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vrpsam_app.methods import GUARDS, METHODS, PEERS

ROOT = Path(__file__).resolve().parents[3]


def test_peers_and_guards_are_methods():
    assert set(PEERS) < set(METHODS)
    assert set(GUARDS) < set(METHODS)
    assert not set(PEERS) & set(GUARDS)


@pytest.mark.parametrize("name", METHODS)
def test_only_those_that_need_the_model_ask_for_it(name: str, small_predictor):
    asked = []

    def source():
        asked.append(name)
        return small_predictor

    METHODS[name](source)
    assert bool(asked) == (name == "vrp_sam" or name.startswith("geometric"))


def test_the_table_loads_nothing():
    script = """
import sys, vrpsam_app.methods
assert not {"torch", "sklearn", "skimage", "numpy"} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

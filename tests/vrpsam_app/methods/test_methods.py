"""The table: lazy, and complete."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from vrpsam_app.methods import GUARDS, METHODS, PEERS, MethodSources, Need

ROOT = Path(__file__).resolve().parents[3]


def test_peers_and_guards_are_methods():
    assert set(PEERS) < set(METHODS)
    assert set(GUARDS) < set(METHODS)
    assert not set(PEERS) & set(GUARDS)


@pytest.mark.parametrize("name", METHODS)
def test_weights_are_loaded_by_those_that_need_them(
    name: str, small_predictor, paper_predictor, small_pictures
):
    asked = set()

    def model():
        asked.add("model")
        return paper_predictor if "model's sam" in METHODS[name].needs else small_predictor

    def sam():
        asked.add("sam")
        return small_pictures

    METHODS[name](MethodSources(model, sam))
    # Features are those of the SAM where there is no backbone, and it answers prompts.
    by = {"features": "sam", "prompts": "sam", "model's sam": "model"}
    expected = {by.get(need, need) for need in METHODS[name].needs}
    assert asked == expected - {"scikit-learn"}


@pytest.mark.parametrize("name", METHODS)
def test_each_method_says_what_it_is_in_one_line(name: str):
    assert 10 < len(METHODS[name].summary) < 90
    assert set(METHODS[name].needs) <= set(get_args(Need))


def test_the_table_loads_nothing():
    script = """
import sys, vrpsam_app.methods
assert not {"torch", "sklearn", "skimage", "numpy"} & set(sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

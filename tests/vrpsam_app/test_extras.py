"""What can be installed besides the plain program."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from vrpsam_app.extras import EXTRAS, how_to_install, missing_of

PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
NOT_FOR_PEOPLE = {"all", "test", "check"}


def test_they_are_those_of_the_project():
    extras = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = {
        name: {re.split(r"[<>=\[ ]", requirement)[0] for requirement in requirements}
        for name, requirements in extras.items()
        if name not in NOT_FOR_PEOPLE
    }
    assert {name: set(packages) for name, (_, packages) in EXTRAS.items()} == named
    assert set(re.findall(r"\w+", extras["all"][0].partition("[")[2])) == set(named)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch):
    def version(name: str) -> str:
        if name == "nd2":
            raise metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(metadata, "version", version)
    assert missing_of("formats") == ("nd2",)
    assert missing_of("web") == ()
    assert how_to_install("formats") == 'pip install "vrpsam-app[formats]"'

"""``vrpsam doctor`` reports, and goes on where something is broken."""

from __future__ import annotations

import sys
from importlib import metadata

import pytest

import hub_weights
import vrpsam_app
from vrpsam_app.cli import doctor
from vrpsam_app.extras import EXTRAS


def lines_of(out: str) -> dict[str, str]:
    return {line[:18].strip(): line[18:] for line in out.splitlines()}


def test_says_what_is_installed(vrpsam):
    lines = lines_of(vrpsam("doctor").out)
    assert lines["vrpsam-app"] == vrpsam_app.__version__
    assert lines["numpy"] == metadata.version("numpy")
    assert lines["cache folder"].startswith(str(hub_weights.cache_folder()))
    assert "GiB" in lines["memory"] or "unknown" in lines["memory"]
    assert {"torch", "device", "model"} <= set(lines)


def test_well_if_every_finding_is(vrpsam, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "findings", lambda: iter([("a", "1", True), ("b", "2", True)]))
    assert vrpsam("doctor").code == 0
    monkeypatch.setattr(doctor, "findings", lambda: iter([("a", "1", False), ("b", "2", True)]))
    outcome = vrpsam("doctor")
    assert outcome.code == 1
    assert "needs attention" in outcome.out.splitlines()[0]
    assert "needs attention" not in outcome.out.splitlines()[1]


def test_broken_torch_is_a_finding(vrpsam, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    outcome = vrpsam("doctor")
    assert outcome.code == 1
    lines = lines_of(outcome.out)
    assert "needs attention" in lines["device"]
    assert "GiB" in lines["memory"] or "unknown" in lines["memory"]


def test_missing_package_is_a_finding_unless_it_can_be_added(
    vrpsam, monkeypatch: pytest.MonkeyPatch
):
    def version(name: str) -> str:
        if name in ("timm", "gradio", "nd2"):
            raise metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(metadata, "version", version)
    outcome = vrpsam("doctor")
    assert outcome.code == 1
    assert lines_of(outcome.out)["timm"].startswith("not installed   <--")
    added = outcome.out.split("What can be added\n")[1].splitlines()
    assert added[0] == (
        "web       not installed  the web app: vrpsam app (lacks gradio): "
        'pip install "vrpsam-app[web]"'
    )
    assert any(
        line.startswith("formats   not installed") and "(lacks nd2): pip install" in line
        for line in added
    )
    assert "objects   installed      tables of objects; files of COCO and ImageJ" in added
    assert len(added) == len(EXTRAS)


def test_damaged_model_is_a_finding(vrpsam, monkeypatch: pytest.MonkeyPatch):
    def damaged(name: str) -> None:
        raise hub_weights.ChecksumMismatchError(f"{name} was changed")

    monkeypatch.setattr(hub_weights, "find_model", damaged)
    outcome = vrpsam("doctor")
    assert outcome.code == 1
    assert lines_of(outcome.out)["model"].startswith("ChecksumMismatchError: embedded was changed")

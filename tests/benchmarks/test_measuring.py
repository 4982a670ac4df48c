"""How benchmarks measure and report, and that each of them runs in its smallest form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOM = Path(__file__).resolve().parents[2] / "benchmarks"
NAMES = (
    "embedded",
    "encoder",
    "models",
    "napari_first_result",
    "pair",
    "persam_f",
    "planes",
    "precisions",
    "scaling",
    "stacks",
    "startup",
)


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOM))
    # Importing it sets what processes inherit.
    for name in ("OMP_NUM_THREADS", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, os.environ.get(name, "1"))
    import measuring

    yield measuring
    for name in ("measuring", "drawing", "speed_page"):
        sys.modules.pop(name, None)


def report(measuring: Any, **changed: Any) -> Any:
    made = measuring.Report("encoder", "The encoder", "Random weights.", **changed)
    slow, quick = measuring.Times((4.0, 6.0, 20.0)), measuring.Times((2.0, 2.0, 10.0))
    made.time("slow", slow)
    made.ratio("how many times faster", slow, quick, at_least=2.5)
    made.value("memory", 100.0, "MB", at_most=200.0)
    points = {"measured": [[1.0, 2.0], [2.0, 4.0]]}
    made.curves.append(measuring.Curve("time", "slices", "seconds", points))
    return made


def options(**changed: Any) -> SimpleNamespace:
    given = {"device": "cpu", "repeats": 3, "full": False, "json": None, "plot": None}
    return SimpleNamespace(**(given | {"page": False} | changed))


def test_ratios_are_of_calls_made_one_after_the_other(measuring: Any) -> None:
    """A pause of the machine that meets both calls changes no ratio."""
    _, ratio, memory = report(measuring).rows
    assert (ratio.value, ratio.low, ratio.high) == (2.0, 2.0, 3.0)
    assert (ratio.limit, ratio.ok) == (">= 2.5", False)
    assert (memory.limit, memory.ok) == ("<= 200", True)


def test_calls_are_made_in_turn(measuring: Any) -> None:
    made: list[str] = []
    calls = {name: lambda name=name: made.append(name) for name in "ab"}
    found = measuring.side_by_side(calls, 2)
    assert made == ["a", "b"] * 3  # once to warm up
    assert [len(times.seconds) for times in found.values()] == [2, 2]


def test_a_missed_limit_is_the_exit_code(measuring: Any, tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    assert measuring.finish(report(measuring), options(json=path)) == 1
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["command"] == "python benchmarks/encoder.py"
    row = {"what": "slow", "value": 6.0, "unit": "s", "low": 4.0, "high": 20.0}
    assert found["rows"][0] == {**row, "limit": "", "ok": True}
    assert {"processor", "threads", "torch", "python", "code"} <= set(found["machine"])
    assert measuring.finish(report(measuring, judged=False), options()) == 0


def test_the_page_is_made_of_the_figures(
    measuring: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import speed_page

    monkeypatch.setattr(speed_page, "DOCS", tmp_path)
    monkeypatch.setattr(speed_page, "RESULTS", tmp_path / "speed_results.json")
    monkeypatch.setattr(speed_page, "PAGE", tmp_path / "speed.md")
    for name, title in (("encoder", "The encoder"), ("embedded", "The model"), ("new", "New")):
        made = report(measuring)
        made.name, made.title = name, title
        measuring.finish(made, options(page=True))
    page = (tmp_path / "speed.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if line.startswith("## ")] == [
        "## The model",
        "## The encoder",
        "## New",
    ]
    assert "| how many times faster | 2 x | 2 to 3 | >= 2.5, **missed** |" in page
    assert (tmp_path / "images" / "speed_encoder.png").stat().st_size > 1000
    assert page == speed_page.page(speed_page.read())


def test_every_benchmark_of_speed_is_run_and_has_its_place(measuring: Any) -> None:
    import speed_page

    assert sorted(speed_page.ORDER) == sorted(NAMES)
    assert all((ROOM / f"{name}.py").is_file() for name in NAMES)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_each_runs_in_its_smallest_form(name: str, tmp_path: Path) -> None:
    path = tmp_path / "found.json"
    command = [sys.executable, str(ROOM / f"{name}.py"), "--small", "--json", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"]
    assert rows
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows)


def test_the_page_that_stands_in_the_documents_is_the_one_of_its_figures(measuring: Any) -> None:
    import speed_page

    results = speed_page.read()
    written = speed_page.PAGE.read_text(encoding="utf-8") if speed_page.PAGE.is_file() else ""
    assert written == (speed_page.page(results) if results else "")

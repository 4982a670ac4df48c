"""Many visitors at once, each asking again as soon as the last question was answered."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tests.vrpsam_app.web.conftest import served_by


@pytest.fixture(scope="module")
def real_app(tmp_path_factory):
    """Address of the app on the embedded model."""
    yield from served_by(tmp_path_factory, "from vrpsam_app.web.launch import launch_app")


def test_a_few_people_for_a_moment(load, served):
    seen = load.run_load(served, served.pid, visitors=6, seconds=2.0, rounds=1, compare=4)
    figures = load.figures_of(seen, 6)
    assert figures["visitors_served"] == 6
    assert figures["turned_away"] == 0
    assert figures["compared"] >= 4
    assert figures["unequal"] == 0


@pytest.mark.slow
def test_twenty_people_for_a_minute(load, real_app):
    seen = load.run_load(real_app, real_app.pid, visitors=20, seconds=60.0)
    figures = load.figures_of(seen, 20)
    assert load.verdicts(figures, 60.0) == dict.fromkeys(load.verdicts(figures, 60.0), True)


def test_growth_is_that_of_the_rests(load):
    rests = [load.Rest(70.0 * i, 60.0 * i, 500.0 + 2.5 * i) for i in range(1, 6)]
    assert load.growth(rests) == pytest.approx(2.5, rel=1e-6)
    assert load.growth([replace(rest, megabytes=500.0) for rest in rests]) == pytest.approx(
        0.0, abs=1e-6
    )
    assert math.isnan(load.growth(rests[:1]))
    figures = load.figures_of(load.Load(60.0, rests=rests[:1]), 1)
    assert not load.verdicts(figures, 60.0)["growth_mb_per_minute"]
    figures["growth_mb_per_minute"] = 2.5
    assert not load.verdicts(figures, 300.0)["growth_mb_per_minute"]
    assert load.verdicts(figures, 60.0)["growth_mb_per_minute"]
    figures["growth_mb_per_minute"] = 10.0
    assert not load.verdicts(figures, 60.0)["growth_mb_per_minute"]


def test_memory_is_drawn(load, tmp_path):
    seen = load.Load(120.0, memory=[(float(at), 400.0 + at) for at in range(120)])
    load.draw_memory(seen, tmp_path / "memory.png")
    plain = (tmp_path / "memory.png").read_bytes()
    assert len(plain) > 5_000
    seen.rests.append(load.Rest(60.0, 50.0, 420.0))
    load.draw_memory(seen, tmp_path / "memory.png")
    assert (tmp_path / "memory.png").read_bytes() != plain

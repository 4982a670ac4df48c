"""Many visitors at once, each asking again as soon as the last question was answered."""

from __future__ import annotations

import pytest

from tests.vrpsam_app.web.conftest import served_by


@pytest.fixture(scope="module")
def real_app(tmp_path_factory):
    """Address of the app on the embedded model."""
    yield from served_by(tmp_path_factory, "from vrpsam_app.web.launch import launch_app")


def test_a_few_people_for_a_moment(load, served):
    seen = load.run_load(served, served.pid, visitors=6, seconds=2.0, compare=4)
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


def test_memory_slope_is_a_line_after_the_first_minute(load):
    steep = [(float(at), 500.0 if at > 60 else 5.0 * at) for at in range(180)]
    growing = [(at, mb + 2 * at / 60) for at, mb in steep]
    assert load.memory_slope(steep) == pytest.approx(0.0, abs=1e-6)
    assert load.memory_slope(growing) == pytest.approx(2.0, rel=1e-6)
    assert load.memory_slope(steep[:60]) == 0.0


def test_memory_is_drawn(load, tmp_path):
    seen = load.Load(120.0, memory=[(float(at), 400.0 + at) for at in range(120)])
    load.draw_memory(seen, tmp_path / "memory.png")
    assert (tmp_path / "memory.png").stat().st_size > 5_000

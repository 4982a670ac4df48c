from __future__ import annotations

import time
from pathlib import Path

import pytest

from vrpsam_app.web.visits import Visits, Work


@pytest.fixture
def visits() -> Visits:
    return Visits(grace=0.05)


def folder(tmp_path: Path, name: str) -> Path:
    made = tmp_path / name
    made.mkdir()
    (made / "picture.png").write_bytes(b"x")
    return made


def wait_until(true) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_files_go_when_the_page_was_closed(visits, tmp_path):
    visit = visits.begin("a", folder(tmp_path, "a"), Work())
    other = visits.begin("b", folder(tmp_path, "b"), Work())
    token = visit.work.begin("find")
    visits.left("a")
    assert token.cancelled
    wait_until(lambda: not visit.folder.exists())
    assert other.folder.exists()
    assert len(visits) == 1


def test_who_comes_back_in_time_keeps_the_files(visits, tmp_path):
    visit = visits.begin("a", folder(tmp_path, "a"), Work())
    visits.left("a")
    visit.work.begin("live")
    time.sleep(0.2)
    assert visit.folder.exists()
    visits.left("a")
    wait_until(lambda: not visit.folder.exists())


def test_work_that_begins_when_the_page_has_gone_keeps_nothing_for_good(tmp_path):
    visits = Visits(grace=0.05, quiet=0.2)
    visit = visits.begin("a", folder(tmp_path, "a"), Work())
    visits.left("a")
    visit.work.begin("ready")
    wait_until(lambda: not visit.folder.exists())
    assert len(visits) == 0


def test_unknown_visitors_leave_without_a_trace(visits):
    visits.left(None)
    visits.left("nobody")
    assert len(visits) == 0


def test_new_work_stops_that_of_its_kind_only():
    work = Work()
    search, live = work.begin("find"), work.begin("live")
    assert work.begin("live") is not live
    assert live.cancelled
    assert not search.cancelled
    work.stop("find")
    assert search.cancelled


def test_everything_is_stopped_at_once():
    work = Work()
    tokens = [work.begin(kind) for kind in ("find", "live", "save")]
    work.stop()
    assert all(token.cancelled for token in tokens)

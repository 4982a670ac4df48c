from __future__ import annotations

import time

import pytest

from vrpsam_app.web.visitor import Visitor
from vrpsam_app.web.visits import Visits


@pytest.fixture
def visits() -> Visits:
    return Visits(grace=0.05)


def wait_until(true) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_files_go_when_the_page_was_closed(visits):
    visitor, other = Visitor(), Visitor()
    visits.begin("a", visitor)
    visits.begin("b", other)
    token = visitor.work.begin("find")
    visits.left("a")
    assert token.cancelled
    wait_until(lambda: not visitor.session.folder.exists())
    assert other.session.folder.exists()
    assert len(visits) == 1


def test_who_comes_back_in_time_keeps_the_files(visits):
    visitor = Visitor()
    visits.begin("a", visitor)
    visits.left("a")
    visitor.work.begin("live")
    time.sleep(0.2)
    assert visitor.session.folder.exists()
    visits.left("a")
    wait_until(lambda: not visitor.session.folder.exists())


def test_work_that_begins_when_the_page_has_gone_keeps_nothing_for_good():
    visits = Visits(grace=0.05, quiet=0.2)
    visitor = Visitor()
    visits.begin("a", visitor)
    visits.left("a")
    visitor.work.begin("ready")
    wait_until(lambda: not visitor.session.folder.exists())
    assert len(visits) == 0


def test_a_page_comes_back_with_its_token_once(visits):
    visitor = Visitor()
    before = visits.begin("a", visitor)
    other = visits.begin("b", Visitor())
    visits.left("a")
    after = visits.rejoin(before.token, "c")
    assert after.visitor is visitor
    assert after.token not in (before.token, other.token)
    assert visits.rejoin(before.token, "d") is None
    visits.left("a")  # of the connection before, noticed late
    time.sleep(0.2)
    assert visitor.session.folder.exists()
    visits.left("c")
    wait_until(lambda: not visitor.session.folder.exists())
    assert visits.rejoin(after.token, "e") is None
    assert len(visits) == 1


@pytest.mark.parametrize("token", [None, "", "a", "ä", 7, {"token": "a"}])
def test_nobody_comes_back_with_what_is_no_token(visits, token):
    visits.begin("a", Visitor())
    assert visits.rejoin(token, "b") is None
    assert len(visits) == 1


def test_unknown_visitors_leave_without_a_trace(visits):
    visits.left(None)
    visits.left("nobody")
    assert len(visits) == 0

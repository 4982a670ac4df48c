"""The tables of a project: what a person decided about which result, and nothing lost."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.review import state as review_state
from vrpsam_app.review.state import ClassFinding, PictureState, ReviewState

FINDING = ClassFinding(score=0.8, presence=0.9, present=True, share=0.1)


@pytest.fixture
def state(tmp_path: Path) -> ReviewState:
    made = ReviewState.create(tmp_path / "project.sqlite")
    made.add_picture("a", Path("/plate/a.png"), 10, sha256="aa", shape=(4, 5, 3), eight_bit=True)
    return made


def a(state: ReviewState) -> PictureState:
    return state.picture("a")


def test_picture_comes_back(state: ReviewState):
    assert a(state).path == Path("/plate/a.png")
    assert (a(state).sha256, a(state).shape, a(state).eight_bit) == ("aa", (4, 5, 3), True)
    assert (a(state).status, a(state).certainty, a(state).masks) == ("new", None, {})
    assert state.contents() == {"aa": "a"}


def test_facts_are_kept(state: ReviewState, tmp_path: Path):
    assert state.fact("range", 3) == 3
    state.keep_fact("range", [1, 2.5])
    state.keep_fact("range", [1, 3.5])
    assert ReviewState(tmp_path / "project.sqlite").fact("range") == [1, 3.5]


def test_status_follows_results_and_decisions(state: ReviewState):
    masks = {"cell": Path("results/a.png")}
    state.keep_failure(a(state).id, "It is broken.")
    assert (a(state).status, a(state).error) == ("failed", "It is broken.")
    state.keep_result(a(state).id, "q1", masks, {"cell": FINDING})
    assert (a(state).status, a(state).error, a(state).masks) == ("waiting", None, masks)
    assert a(state).classes == {"cell": FINDING}
    state.decide(a(state), "accept", "ada", "fine")
    assert (a(state).status, a(state).who, a(state).note) == ("accepted", "ada", "fine")
    state.decide(a(state), "reject", "ada")
    assert a(state).status == "rejected"
    state.decide(a(state), "undo", "ada")
    assert a(state).status == "waiting"


def test_a_verdict_is_about_one_result(state: ReviewState):
    state.keep_result(a(state).id, "q1", {"cell": Path("1.png")}, {"cell": FINDING})
    state.decide(a(state), "accept", "ada")
    state.keep_result(a(state).id, "q2", {"cell": Path("2.png")}, {"cell": FINDING})
    assert (a(state).status, a(state).masks) == ("waiting", {"cell": Path("2.png")})


def test_a_failure_may_tell_a_name_that_is_not_utf8(state: ReviewState):
    state.keep_failure(state.picture("a").id, "c\udcff.png is broken")
    assert state.picture("a").error == r"c\udcff.png is broken"


def test_a_drawn_mask_outlives_results(state: ReviewState):
    drawn = {"cell": Path("fixed/a.png")}
    state.decide(a(state), "fix", "ada", masks=drawn)
    state.keep_result(a(state).id, "q2", {"cell": Path("2.png")}, {"cell": FINDING})
    assert (a(state).status, a(state).masks) == ("fixed", drawn)
    state.keep_failure(a(state).id, "gone")
    assert (a(state).status, a(state).masks) == ("fixed", drawn)


def test_the_least_certain_class_counts(state: ReviewState):
    absent = ClassFinding(score=0.1, presence=0.25, present=False, share=0)
    assert absent.certainty == 0.75
    state.keep_result(a(state).id, "q", {}, {"cell": FINDING, "dirt": absent})
    assert a(state).certainty == 0.75


def test_pictures_are_found_by_name_or_path(state: ReviewState):
    state.add_picture("b", Path("/plate/b.png"), 1)
    state.add_picture("other_b", Path("/other/b.png"), 1)
    assert state.picture("A").name == "a"
    assert state.picture("other/b.png").name == "other_b"
    with pytest.raises(ConfigError, match=r"has 2 pictures 'b\.png'"):
        state.picture("b.png")
    with pytest.raises(ConfigError, match="has no picture 'c'"):
        state.picture("c")


def test_a_name_or_a_file_is_there_once(state: ReviewState):
    with pytest.raises(ConfigError, match="UNIQUE"):
        state.add_picture("A", Path("/plate/c.png"), 1)
    state.add_picture("ignored", Path("/plate/a.png"), 11, error="broken")
    assert [(p.name, p.error) for p in state.pictures()] == [("a", "broken")]


def test_what_is_no_project_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match="not a review project"):
        ReviewState(tmp_path / "project.sqlite")
    (tmp_path / "project.sqlite").write_bytes(b"something else, long enough to be read as one")
    with pytest.raises(ConfigError, match="damaged or no review project"):
        ReviewState(tmp_path / "project.sqlite")
    (tmp_path / "project.sqlite").unlink()
    state = ReviewState.create(tmp_path / "project.sqlite")
    with pytest.raises(OutputError, match="a review project already"):
        ReviewState.create(tmp_path / "project.sqlite")
    state.keep_fact("schema_version", 99)
    with pytest.raises(ConfigError, match="schema version 99"):
        ReviewState(tmp_path / "project.sqlite")
    assert [p.name for p in tmp_path.iterdir()] == ["project.sqlite"]


def test_a_damaged_row_is_named(state: ReviewState, tmp_path: Path):
    connection = sqlite3.connect(tmp_path / "project.sqlite")
    connection.execute("UPDATE pictures SET shape = '[1,'")
    connection.commit()
    connection.close()
    with pytest.raises(ConfigError, match="damaged"):
        state.pictures()


def test_a_file_that_cannot_be_written_is_named(
    state: ReviewState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(review_state, "_WAIT_SECONDS", 0.05)
    holding = sqlite3.connect(tmp_path / "project.sqlite")
    holding.execute("BEGIN EXCLUSIVE")
    with pytest.raises(OutputError, match="locked"):
        state.keep_fact("a", 1)
    holding.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from vrpsam_app.review.state import ClassFinding, ReviewState
state = ReviewState(Path(sys.argv[1]))
picture = state.picture("a")
print("ready", flush=True)
for i in range(10**6):
    finding = ClassFinding(score=i, presence=1, present=True, share=1)
    state.keep_result(picture.id, f"q{i}", {"c": Path(f"{i}.png")}, {"c": finding})
    state.decide(state.picture("a"), "accept", str(i))
    if i == 20:
        print("on", flush=True)
"""


def test_killed_at_any_moment_it_is_whole(state: ReviewState, tmp_path: Path):
    path = tmp_path / "project.sqlite"
    for _ in range(2):
        worker = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert worker.stdout.readline() == "ready\n"
        assert worker.stdout.readline() == "on\n"
        worker.kill()
        worker.communicate()
        left = ReviewState(path).picture("a")
        number = int(left.question[1:])
        assert number >= 20
        assert left.masks == {"c": Path(f"{number}.png")}
        assert left.certainty == number
        # The decision on this result, or on the one before.
        assert int(left.who) in (number, number - 1)
        assert left.status == ("accepted" if int(left.who) == number else "waiting")

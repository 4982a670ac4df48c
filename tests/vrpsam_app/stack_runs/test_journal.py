"""What a run knows survives a kill."""

from __future__ import annotations

from pathlib import Path

import pytest

from vrpsam_app.stack_runs.journal import NAME, BlockNote, RunJournal, notes_from_lines
from vrpsam_app.tiles.rows import Verdict

FIRST, SECOND = Verdict(0.25, True, 0.1 + 0.2, 5), Verdict(1 / 3, False, 0.7, 15)


def note(block: int, rows: dict[int, list[Verdict]], pixels: int, **more: str) -> BlockNote:
    return BlockNote((1, 2), (block,), {"a": rows}, {"a": pixels}, **more)


def test_notes_are_read_back_exactly(tmp_path: Path):
    journal = RunJournal(tmp_path)
    journal.add(note(0, {0: [FIRST, SECOND]}, 9))
    journal.add(note(1, {1: [SECOND]}, 4, pixels_sum="ff"))
    again = RunJournal(tmp_path)
    assert again.planes == journal.planes
    assert again.knows((1, 2), 1)
    assert not again.knows((1, 2), 2)
    assert not again.knows((1, 3), 0)
    plane = again.planes[1, 2]
    assert plane.pixels_sum == "ff"
    assert plane.verdict("a").pixels == 13
    assert plane.verdict("a").presence == 1 / 3


def test_of_two_that_tell_the_same_the_later_counts(tmp_path: Path):
    journal = RunJournal(tmp_path)
    journal.add(note(0, {0: [FIRST]}, 9))
    journal.add(note(0, {0: [SECOND]}, 4))
    assert journal.planes[1, 2].verdict("a") == Verdict(1 / 3, False, 0.7, 4)


@pytest.mark.parametrize("cut", [2, 10, 60])
def test_a_line_that_was_cut_is_passed_over_and_the_next_is_whole(tmp_path: Path, cut: int):
    journal = RunJournal(tmp_path)
    journal.add(note(0, {0: [FIRST]}, 9))
    journal.add(note(1, {1: [SECOND]}, 4))
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-cut])
    again = RunJournal(tmp_path)
    assert (again.knows((1, 2), 0), again.knows((1, 2), 1)) == (True, False)
    again.add(note(1, {1: [SECOND]}, 4))
    assert RunJournal(tmp_path).planes == journal.planes


def test_settled_it_is_the_same_however_often_it_was_interrupted(tmp_path: Path):
    smooth, rough = tmp_path / "a", tmp_path / "b"
    smooth.mkdir()
    rough.mkdir()
    one, other = RunJournal(smooth), RunJournal(rough)
    one.add(note(0, {0: [FIRST]}, 9))
    one.add(note(1, {1: [SECOND], 2: [FIRST]}, 4, pixels_sum="ff"))
    one.add(BlockNote((0, 0), (0,), {"a": {0: []}}, {"a": 0}, "00"))
    other.add(BlockNote((0, 0), (0,), {"a": {0: []}}, {"a": 0}, "00"))
    other.add(note(1, {1: [SECOND]}, 1))
    other.add(note(0, {0: [FIRST], 1: [SECOND]}, 9))
    other.add(note(1, {1: [SECOND], 2: [FIRST]}, 4, pixels_sum="ff"))
    lines = one.settle()
    assert other.settle() == lines
    assert (smooth / NAME).read_bytes() == (rough / NAME).read_bytes()
    settled = notes_from_lines(lines)
    assert settled[1, 2].verdict("a") == one.planes[1, 2].verdict("a")
    assert RunJournal(smooth).knows((1, 2), 1)
    again = RunJournal(smooth)
    assert again.settle() == lines

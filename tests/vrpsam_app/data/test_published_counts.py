from __future__ import annotations

from dataclasses import dataclass

from vrpsam_app.data.published_counts import compare_with_published


@dataclass(frozen=True)
class Copy:
    benchmark: str
    pictures: int
    films: int = 0

    def counts(self):
        return {"pictures": self.pictures, "films": self.films}


def test_a_whole_copy_agrees():
    check, _ = compare_with_published(Copy("pascal-5i/train/2/excluded", 2752))
    assert check.agrees
    assert str(check).startswith("pascal-5i/train/2/excluded: 2752 pictures, as published (")


def test_a_part_says_what_is_missing():
    check, _ = compare_with_published(Copy("pascal-5i/train/2/background", 2752))
    assert not check.agrees
    assert "2752 pictures, but 4097 are published" in str(check)


def test_what_nobody_published_is_compared_with_nothing():
    (_, films) = compare_with_published(Copy("kvasir-seg", 1000, 3))
    (unknown, _) = compare_with_published(Copy("coco-20i/val/0", 5))
    for check in (films, unknown):
        assert check.agrees
        assert str(check).endswith("no published number known")

from __future__ import annotations

import math

import pytest

from vrpsam_app.readers.stated_size import OWN_SIZE, own_size, stated_size
from vrpsam_app.stacks.stack import PixelSize


@pytest.mark.parametrize(
    ("stated", "size"),
    [
        ((0.65, 0.5), PixelSize(0.65, 0.5)),
        (("0.65", "0.5", "2"), PixelSize(0.65, 0.5, 2)),
        ((650, 500, 2, ("nm", "nm", "µm")), PixelSize(650, 500, 2000, "nm")),
        ((None, 0.5), PixelSize(0.5, 0.5)),
        ((0.5, "", 2), PixelSize(0.5, 0.5, 2)),
        ((0.5, 0.5, 0), PixelSize(0.5, 0.5)),
        ((0.5, 0.5, 2, ("um", "um", "pixel")), PixelSize(0.5, 0.5)),
        ((0.5, 0.5, 2, "pixel"), None),
        ((0.5, 0.5, 2, None), None),
        ((0, 0, 2), None),
        ((-1, math.nan), None),
        ((None, None, 2), None),
    ],
)
def test_only_what_makes_sense_is_believed(stated, size):
    assert stated_size(*stated) == size


@pytest.mark.parametrize(
    ("said", "size"),
    [
        ({"row": 0.65, "col": 0.5, "plane": None, "unit": "um"}, PixelSize(0.65, 0.5)),
        ({"row": "?", "unit": "um"}, None),
        ({"row": 0.65, "col": 0.5}, None),
        ([0.65, 0.5], None),
        (None, None),
    ],
)
def test_a_size_of_this_program_is_believed_as_any_other(said, size):
    assert own_size({OWN_SIZE: said}) == size

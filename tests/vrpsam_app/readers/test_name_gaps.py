"""Sequences of files in which one is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from vrpsam_app.readers.name_gaps import warn_of_gaps
from vrpsam_app.stacks.stack_files import open_stack


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ("t_001.tif t_002.tif t_004.tif t_005.tif", "t_002.tif is followed by t_004.tif:"),
        ("t1.png t2.png t4.png t5.png t6.png t9.png", "t2.png is followed by t4.png, and 1 more"),
        ("s1_t00.png s1_t10.png s1_t30.png", "s1_t10.png is followed by s1_t30.png:"),
        ("t1.png t2.png t3.png", None),
        ("t1.png t2.png", None),
        ("t0.png t5.png t10.png", None),
        ("t1.png t7.png t20.png t21.png", None),
        ("s1_t1.png s1_t2.png s2_t1.png s2_t4.png", None),
        ("a1.png a2.png b4.png", None),
        ("t1.png t01.png t3.png", None),
        ("a.png b.png", None),
        ("t1.png", None),
    ],
)
def test_numbers_that_are_left_out_are_said_once(caplog, names, said):
    warn_of_gaps([Path(name) for name in names.split()])
    assert [said in record.message for record in caplog.records] == [True] * (said is not None)


@pytest.mark.parametrize("shape", [(8, 9), (2, 8, 9)])
def test_folders_of_pictures_and_of_stacks_say_so(tmp_path, caplog, shape):
    for number in (1, 2, 4, 5):
        tifffile.imwrite(tmp_path / f"t_{number}.tif", np.ones(shape, np.uint8))
    assert open_stack(tmp_path).leading_shape[0] == 4
    (record,) = caplog.records
    assert record.message.startswith(f"{tmp_path / 't_2.tif'} is followed by t_4.tif: files")

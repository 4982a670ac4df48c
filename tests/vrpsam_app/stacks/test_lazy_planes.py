from __future__ import annotations

import pickle
import threading
from pathlib import Path

import numpy as np
import pytest

from vrpsam_app.errors import ImageFileError
from vrpsam_app.stacks.lazy_planes import PlaneSource, lazy_array, plane_chunks

ARRAY = np.arange(4 * 10 * 12).reshape(4, 10, 12)


class Source(PlaneSource):
    """Serves ARRAY, and notes what it was asked for."""

    def __init__(self, dtype=ARRAY.dtype, wrong=0):
        super().__init__(Path("a.file"), ARRAY.shape, dtype)
        self.boxes = []
        self.opened = 0
        self.wrong = wrong

    def _open_file(self):
        self.opened += 1
        return Handle()

    def _read_box(self, handle, box):
        assert isinstance(handle, Handle)
        self.boxes.append(box)
        return ARRAY[box][:, : 10 - self.wrong]


class Handle:
    closed = 0

    def close(self):
        Handle.closed += 1


def test_nothing_is_opened_before_a_part_is_read():
    source = Source()
    lazy = lazy_array(source, (1, 10, 12))
    assert (source.opened, source.boxes) == (0, [])
    assert np.array_equal(lazy[2].compute(), ARRAY[2])
    assert source.opened == 1
    assert source.boxes == [(slice(2, 3), slice(0, 10), slice(0, 12))]


@pytest.mark.parametrize(
    "key",
    [
        np.s_[1], np.s_[1:3], np.s_[::-1], np.s_[:, 2:9:3, ::-2], np.s_[3:0:-2, 9:4:-1, 5],
        np.s_[..., 0], np.s_[2, 3, 4], np.s_[:, :0], np.s_[3:1], np.s_[-1, -3:, 1:-1],
    ],
)  # fmt: skip
def test_any_slice_gives_what_numpy_gives(key):
    lazy = lazy_array(Source(), (1, 4, 5))
    assert np.array_equal(lazy[key].compute(), ARRAY[key])


def test_a_type_is_kept_as_promised():
    assert lazy_array(Source(np.float32), (1, 10, 12))[0].compute().dtype == np.float32


def test_a_source_opens_anew_where_it_is_sent():
    source = Source()
    assert np.array_equal(source[1], ARRAY[1])
    sent = pickle.loads(pickle.dumps(source))
    assert sent.opened == 1
    assert np.array_equal(sent[2], ARRAY[2])
    assert sent.opened == 2


def test_a_file_is_closed_with_its_array():
    Handle.closed = 0
    source = Source()
    _ = source[0]
    del source
    assert Handle.closed == 1


def test_a_file_that_changed_is_refused():
    with pytest.raises(
        ImageFileError, match=r"a\.file gave \(1, 9, 12\).*changed while it was open"
    ):
        _ = Source(wrong=1)[0]


def test_one_thread_reads_at_a_time():
    busy, most = [], []

    class Slow(Source):
        def _read_box(self, handle, box):
            busy.append(1)
            most.append(len(busy))
            threading.Event().wait(0.002)
            busy.pop()
            return super()._read_box(handle, box)

    lazy_array(Slow(), (1, 5, 12)).compute(scheduler="threads", num_workers=4)
    assert max(most) == 1
    Slow.concurrent = True
    lazy_array(Slow(), (1, 5, 12)).compute(scheduler="threads", num_workers=4)
    assert max(most) > 1


def test_more_planes_than_any_file_has_are_refused():
    source = Source()
    source.shape = (2**23, 10, 12)
    with pytest.raises(ImageFileError, match="which would be 8388608 planes: it is damaged"):
        lazy_array(source, (1, 10, 12))


@pytest.mark.parametrize(
    ("shape", "axes", "pieces", "chunks"),
    [
        ((9, 100, 100), "zyx", None, (1, 100, 100)),
        ((9, 100, 100, 3), "zyxs", None, (1, 100, 100, 3)),
        ((3, 100, 100), "syx", None, (3, 100, 100)),
        ((100, 100, 9), "yxz", None, (100, 100, 1)),
        ((2, 20_000, 20_000), "zyx", None, (1, 838, 20_000)),
        ((2, 20_000, 20_000), "zyx", (1, 512, 512), (1, 4096, 4096)),
        ((2, 20_000, 20_000), "zyx", (1, 16, 20_000), (1, 832, 20_000)),
        ((20_000, 20_000, 3), "yxs", (256, 256, 3), (1280, 4096, 3)),
        ((20_000, 20_000), "yx", (5000, 5000), (5000, 5000)),
        ((20_000, 20_000), "yx", (20_000, 20_000), (20_000, 20_000)),
    ],
)
def test_parts_are_planes_or_multiples_of_the_files_own(shape, axes, pieces, chunks):
    assert plane_chunks(shape, tuple(axes), pieces) == chunks

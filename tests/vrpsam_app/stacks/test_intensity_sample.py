"""One range for a stack, from a look at a few planes."""

from __future__ import annotations

from collections import Counter

import dask
import dask.array as da
import numpy as np
import pytest

from vrpsam_app.annotations import Box
from vrpsam_app.images import IntensityRange, intensity_range_of
from vrpsam_app.references import Reference
from vrpsam_app.stacks.intensity_sample import (
    plane_range,
    sample_stack,
    sampled,
    stack_range,
)
from vrpsam_app.stacks.stack import Stack

DARK = Reference.from_annotations(np.full((9, 9), 3, np.uint16), [Box(1, 1, 4, 4)])
EIGHT_BITS = Reference.from_annotations(np.zeros((9, 9), np.uint8), [Box(1, 1, 4, 4)])


def counted(planes: int, dtype: str = "uint16") -> tuple[Stack, Counter[int]]:
    """Return a stack whose plane z holds the values 100 z to 100 z + 99."""
    reads: Counter[int] = Counter()

    def read(z: int) -> np.ndarray:
        reads[z] += 1
        return (np.arange(100).reshape(1, 10, 10) + 100 * z).astype(dtype)

    parts = [da.from_delayed(dask.delayed(read)(z), (1, 10, 10), dtype) for z in range(planes)]
    return Stack.from_array(da.concatenate(parts)), reads


@pytest.mark.parametrize("planes", [1, 3, 8, 50])
def test_at_most_eight_planes_from_the_first_to_the_last(planes: int):
    stack, reads = counted(planes)
    found = sample_stack(stack, [DARK])
    assert found.intensity_range == IntensityRange(0, 100 * planes - 1)
    assert len(reads) == min(8, planes)
    assert set(reads.values()) == {1}
    assert stack_range(stack, [DARK]) == found.intensity_range


def test_a_given_range_is_kept():
    stack, reads = counted(20)
    given = IntensityRange(5, 9)
    assert sample_stack(stack, [DARK], given).intensity_range == given
    assert len(reads) == sum(reads.values()) == 8


def test_8_bits_are_shown_as_they_are():
    stack, reads = counted(20, "uint8")
    for look in (stack_range, lambda *given: sample_stack(*given).intensity_range):
        assert look(stack, [EIGHT_BITS]) is None
        assert look(stack, [DARK]) == IntensityRange(3, 3)
        assert sum(reads.values()) == (0 if look is stack_range else 16)


@pytest.mark.parametrize("dtype", ["uint16", "uint8"])
def test_the_fingerprint_knows_the_stack_and_not_the_range(dtype: str):
    first, other = counted(4, dtype)[0], counted(5, dtype)[0]
    key = sample_stack(first, [DARK]).fingerprint
    assert key == sample_stack(counted(4, dtype)[0], [DARK], IntensityRange(0, 1)).fingerprint
    assert key != sample_stack(other, [DARK]).fingerprint
    data = np.asarray(first.data)
    data[2, 5, 5] ^= 1
    assert key != sample_stack(Stack.from_array(data), [DARK]).fingerprint


def test_a_plane_has_the_range_that_it_would_have_in_memory():
    plane = np.random.default_rng(0).normal(size=(1500, 1300)).astype(np.float32)
    lazy = da.from_array(plane, chunks=(400, 1300))
    assert plane_range(lazy, [DARK]) == intensity_range_of([plane, DARK.image])


def test_large_planes_are_thinned():
    assert sampled(da.zeros((5000, 3000), chunks=1000)).shape == (1250, 750)
    assert sampled(np.zeros((10, 12, 3))).shape == (10, 12, 3)

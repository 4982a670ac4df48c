from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from tests.vrpsam_app.data.drawn_views import drawn
from vrpsam_app.data.cell_worlds import blood_smear, epithelium, nuclei, stained_tissue


def test_nuclei_come_few_and_many():
    counts = [len(np.unique(drawn(nuclei, seed).instances)) - 1 for seed in range(12)]
    assert min(counts) < 15
    assert max(counts) > 40


def test_stains_are_stuff_under_nuclei_that_are_objects():
    canvas = drawn(stained_tissue, 3)
    assert (canvas.instances[np.isin(canvas.classes, (1, 2))] == 0).all()
    assert (canvas.instances[canvas.classes == 3] > 0).all()
    assert {1, 2, 3} <= set(np.unique(canvas.classes))


def test_nuclei_of_blood_cells_lie_in_their_cytoplasm():
    canvas = drawn(blood_smear, 7)
    nucleus = canvas.classes == 2
    assert nucleus.any()
    around = ndimage.binary_dilation(nucleus, iterations=3) & ~nucleus
    assert (canvas.classes[around] == 3).mean() > 0.4


@pytest.mark.parametrize("seed", [1, 2])
def test_cell_borders_part_the_cells(seed):
    canvas = drawn(epithelium, seed, absent=frozenset({3}))
    parts, count = ndimage.label(canvas.classes == 2)
    assert count >= 8
    # Hardly any part that holds pixels of two cells.
    mixed = [len(np.unique(canvas.instances[parts == part])) > 1 for part in range(1, count + 1)]
    assert np.mean(mixed) < 0.3

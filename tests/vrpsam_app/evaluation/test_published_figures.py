from __future__ import annotations

from vrpsam_app.data.published_counts import PUBLISHED
from vrpsam_app.evaluation.published_figures import _OF_SET, published_figure


def test_a_folds_own_figure_is_preferred_to_the_mean_of_folds():
    assert published_figure("coco-20i val 0", "mask", 1).miou == 48.1
    assert published_figure("coco-20i val 3", "mask", 1).note == "mean of folds"


def test_what_is_not_in_print_is_none():
    assert published_figure("coco-20i val 0", "mask", 5) is None
    assert published_figure("cells", "mask", 1) is None
    assert published_figure("pascal-5i val 1", "outline", 1) is None


def test_data_sets_are_named_as_their_readers_name_them():
    known = {name.replace("/", " ").rstrip("0123") for name in PUBLISHED}
    assert {name.rstrip("0123") for name, _ in _OF_SET} <= known

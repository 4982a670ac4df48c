from __future__ import annotations

import pytest

from vrpsam_app.data.class_folds import (
    COCO_CLASSES,
    PASCAL_CLASSES,
    checked_rule,
    coco_fold,
    coco_name,
    coco_to_pascal_table,
    disjoint_pascal_classes,
    pascal_fold,
)
from vrpsam_app.errors import ConfigError


@pytest.mark.parametrize(
    ("classes", "fold_of", "size"),
    [(PASCAL_CLASSES, pascal_fold, 5), (COCO_CLASSES, coco_fold, 20)],
)
def test_folds_part_the_classes(classes, fold_of, size):
    folds = [fold_of(fold) for fold in range(4)]
    assert [len(fold) for fold in folds] == [size] * 4
    assert sorted(name for fold in folds for name in fold) == sorted(classes)


def test_pascal_folds_are_runs_and_coco_folds_are_strides():
    assert pascal_fold(2) == PASCAL_CLASSES[10:15]
    assert coco_fold(3) == tuple(COCO_CLASSES[3 + 4 * v] for v in range(20))


def test_coco_knows_every_class_of_pascal():
    assert {coco_name(name) for name in PASCAL_CLASSES} <= set(COCO_CLASSES)


def test_disjoint_classes_are_none_that_was_trained_on():
    parts = [disjoint_pascal_classes(fold) for fold in range(4)]
    assert [len(part) for part in parts] == [6, 4, 6, 4]
    assert sorted(name for part in parts for name in part) == sorted(PASCAL_CLASSES)
    for fold, part in enumerate(parts):
        trained = set(COCO_CLASSES) - set(coco_fold(fold))
        assert not trained & {coco_name(name) for name in part}


def test_the_table_has_a_line_for_each_fold():
    lines = coco_to_pascal_table().splitlines()
    assert len(lines) == 4
    assert lines[3].endswith("test on bottle, cat, cow, motorbike (motorcycle)")


@pytest.mark.parametrize("fold", [-1, 4, "0"])
def test_there_are_four_folds(fold):
    with pytest.raises(ConfigError, match="expected 0, 1, 2 or 3"):
        coco_fold(fold)


def test_there_are_two_rules():
    assert checked_rule("background") == "background"
    with pytest.raises(ConfigError, match=r"'excluded'.*'background'"):
        checked_rule("ignored")

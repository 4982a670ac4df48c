"""The class of each number: kept, in features, in metadata."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_plugin.number_classes import (
    NumberClasses,
    as_features,
    as_metadata,
    class_plane,
    from_features,
    from_metadata,
    holds_measured,
    named_anew,
    without_measured,
)

NAMED = {1: "nucleus", 2: "rod", 7: "nucleus", 9: ""}


def test_numbers_keep_their_classes_until_all_are_given_anew():
    numbers = NumberClasses({3: "rod"}, highest=2)
    assert numbers.highest == 3
    before = numbers.now()
    numbers.take({5: "nucleus"}, highest=8)
    assert (numbers.now(), numbers.highest) == ({3: "rod", 5: "nucleus"}, 8)
    assert before == {3: "rod"}
    numbers.replace({1: "rod"}, 1)
    assert (numbers.now(), numbers.highest) == ({1: "rod"}, 1)
    assert not NumberClasses(highest=4)  # numbers, and no class of any


def test_features_and_metadata_come_back():
    assert from_features(pd.DataFrame(as_features(NAMED))) == NAMED
    assert from_metadata(as_metadata(NAMED)) == NAMED
    assert as_metadata(NAMED) == {"nucleus": [1, 7], "rod": [2], "": [9]}


@pytest.mark.parametrize(
    "said", [None, [1, 2], "objects", {"rod": 3}, {"rod": ["1", None, -1, 0, 2**31, 2.5]}]
)
def test_metadata_of_others_name_nothing(said):
    assert from_metadata(said) == {}


def test_features_may_have_empty_cells_and_other_columns():
    table = pd.DataFrame({"index": [1, 2, np.nan], "class": ["rod", np.nan, "rod"]})
    assert from_features(table) == {1: "rod", 2: ""}
    assert from_features(pd.DataFrame({"area": [3.0]})) == {}
    assert from_features(None) == {}


def test_what_was_measured_is_more_than_names_and_notes():
    assert not holds_measured(None)
    assert not holds_measured(pd.DataFrame(as_features(NAMED) | {"note": list("abcd")}))
    assert holds_measured(pd.DataFrame({"index": [1], "area_px": [4]}))


def test_what_a_person_wrote_stays_when_classes_are_named_anew():
    table = pd.DataFrame(
        {
            "index": [1, 2, 7],
            "class": ["rod", "rod", ""],
            "area_px": [3, 4, 5],
            "note": ["dead", np.nan, "odd"],
        }
    )
    assert without_measured(table[["index", "class", "area_px"]]) is None
    kept = named_anew(table, {1: "nucleus", 9: "rod"})
    assert kept.columns.tolist() == ["index", "class", "note"]
    assert kept["class"].tolist() == ["nucleus", "rod"]
    assert kept["note"].fillna("").tolist() == ["dead", ""]
    assert named_anew(table, {}).to_dict("list") == {"index": [1, 7], "note": ["dead", "odd"]}
    assert named_anew(table.drop(columns="note"), NAMED) == as_features(NAMED)


def test_notes_of_a_time_lapse_are_of_an_object_and_a_time():
    table = pd.DataFrame(
        {"t": [0, 1, 1], "index": [3, 3, 4], "voxels": [9, 8, 7], "note": ["a", "b", "c"]}
    )
    kept = named_anew(table, {3: "rod", 4: "rod"})
    rows = kept[["t", "index", "note"]].to_numpy().tolist()
    assert rows == [[0, 3, "a"], [1, 3, "b"], [1, 4, "c"]]


def test_pixels_have_the_class_of_their_object():
    values = np.array([[0, 1, 2], [7, 9, 30]])
    assert class_plane(values, NAMED, ("nucleus", "rod")).tolist() == [[0, 1, 2], [1, 3, 3]]

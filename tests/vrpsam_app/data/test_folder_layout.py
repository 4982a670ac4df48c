from __future__ import annotations

import pytest

from vrpsam_app.data.folder_layout import field_of, is_restricted, pairing_group, read_document


@pytest.mark.parametrize(
    ("licence", "restricted"),
    [
        (None, False),
        ("Attribution License", False),
        ("Attribution-ShareAlike License", False),
        ("Attribution-NonCommercial License", True),
        ("Attribution-NoDerivs License", True),
        ("CC BY-NC-SA 4.0", True),
        ("cc0", False),
    ],
)
def test_licences_that_forbid_sharing_are_known(licence, restricted):
    assert is_restricted({"licence": licence}) == restricted


def test_a_view_is_told_from_its_field():
    assert field_of("set3_full") == field_of("set3_q0") == field_of("set3_t12") == "set3"
    assert field_of("quite_full_glass") == "quite_full_glass"


def test_wholes_tiles_and_modalities_are_groups():
    groups = {
        pairing_group("a_full", {}),
        pairing_group("a_q1", {}),
        pairing_group("a", {}),
        pairing_group("a", {"modality": "stained"}),
    }
    assert len(groups) == 4
    assert pairing_group("b_t1", {}) == pairing_group("a_q1", {})


def test_a_document_may_be_missing(tmp_path):
    assert read_document(tmp_path / "meta.json") == {}

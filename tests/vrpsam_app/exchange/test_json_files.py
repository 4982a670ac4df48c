from __future__ import annotations

import pytest

from vrpsam_app.errors import ObjectFileError, OutputError
from vrpsam_app.exchange import json_files
from vrpsam_app.exchange.json_files import read_json, write_json


def test_documents_are_read_back(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"name": "Zellkörper", "x": [1, 2.5]}, overwrite=False)
    assert read_json(path, "a test") == {"name": "Zellkörper", "x": [1, 2.5]}
    with pytest.raises(OutputError, match="exists"):
        write_json(path, {}, overwrite=False)


def test_a_mark_at_the_start_is_no_harm(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf[1]")
    assert read_json(tmp_path / "a.json", "a test") == [1]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 200_000])
def test_what_is_no_json_is_named(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ObjectFileError, match=r"a\.json is not valid JSON .*: expected a test"):
        read_json(tmp_path / "a.json", "a test")


def test_files_that_are_missing_or_too_large_are_named(tmp_path, monkeypatch):
    with pytest.raises(ObjectFileError, match=r"a\.json cannot be read .*a test"):
        read_json(tmp_path / "a.json", "a test")
    (tmp_path / "a.json").write_text("[1, 2, 3]")
    monkeypatch.setattr(json_files, "MAX_BYTES", 4)
    with pytest.raises(ObjectFileError, match=r"a\.json has .* GB"):
        read_json(tmp_path / "a.json", "a test")

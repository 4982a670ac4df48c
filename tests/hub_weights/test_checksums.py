"""Sums beside files: written, read, and noticed when a byte changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub_weights.checksums import read_sums, sha256_of, verify, write_sums
from hub_weights.errors import ChecksumMismatchError, WeightsNotFoundError


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    write_sums(tmp_path, ("model.safetensors",))
    assert verify(tmp_path, "model.safetensors") == sha256_of(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").write_bytes(b"weightz")
    with pytest.raises(ChecksumMismatchError, match=r"damaged or was changed"):
        verify(tmp_path, "model.safetensors")


def test_the_sum_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "abc") == known


def test_without_a_record_the_sum_is_only_computed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    assert read_sums(tmp_path) == {}
    assert verify(tmp_path, "a") == sha256_of(tmp_path / "a")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match=r"model\.safetensors does not exist"):
        verify(tmp_path, "model.safetensors")


@pytest.mark.parametrize("line", ["nonsense", "0" * 64 + "  ../outside", "0" * 63 + "  a"])
def test_a_broken_record_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "SHA256SUMS").write_text(line + "\n")
    with pytest.raises(ChecksumMismatchError, match="line 1"):
        read_sums(tmp_path)

"""What the registry promises of the weights it names."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hub_weights import REGISTRY, RepoName, WeightsNotFoundError, entry_of, entry_with, find_model

FILES = [(entry.name, file) for entry in REGISTRY.values() for file in entry.files]


def test_entries_carry_their_own_name() -> None:
    assert all(name == entry.name for name, entry in REGISTRY.items())


def test_what_needs_no_download_is_there() -> None:
    for name, entry in REGISTRY.items():
        if not entry.needs_download:
            assert find_model(name).weights.is_file()


@pytest.mark.parametrize(("name", "file"), FILES)
def test_what_is_written_down_has_the_right_form(name: str, file: object) -> None:
    assert file.sha256 is None or re.fullmatch("[0-9a-f]{64}", file.sha256)
    assert file.revision is None or re.fullmatch("[0-9a-f]{40}", file.revision)
    assert file.repo_id is None or RepoName.parse(file.repo_id) == RepoName(file.repo_id)
    # Nothing is pinned halfway: a size without a sum says nothing.
    assert file.size is None or file.sha256 is not None


def test_sums_and_names_are_nobody_else_s() -> None:
    sums = [file.sha256 for _, file in FILES if file.sha256 is not None]
    assert len(set(sums)) == len(sums)
    assert not {"/", "\\", ":"} & set("".join(REGISTRY))


@pytest.mark.parametrize("name", ["sam_vit_b", "sam_vit_l", "sam_vit_h"])
def test_sam_comes_from_its_makers_as_safetensors(name: str) -> None:
    source = REGISTRY[name].download
    assert source.repo_id.startswith("facebook/sam-vit-")
    assert source.file == "model.safetensors"
    assert source.revision is not None
    # The original file is known by its bytes as well, wherever somebody has it from.
    original = next(f for f in REGISTRY[name].files if f.file.endswith(".pth"))
    assert original.repo_id is None
    assert entry_with(original.sha256) is REGISTRY[name]


def test_what_is_downloaded_says_how_large_it_is_and_whose() -> None:
    for entry in REGISTRY.values():
        assert entry.license
        assert entry.citation
        if entry.download is not None:
            assert entry.megabytes
            if entry.download.size is not None:
                assert round(entry.download.size / 1e6) == entry.megabytes


def test_the_document_tells_the_same() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "weights.md").read_text("utf-8")
    rows = {
        cells[1].strip("` "): [cell.strip() for cell in cells]
        for line in page.splitlines()
        if (cells := line.split("|"))[1:] and cells[1].startswith(" `")
    }
    assert rows.keys() == REGISTRY.keys()
    for name, entry in REGISTRY.items():
        *_, size, licence, source, _ = rows[name]
        assert licence == entry.license
        if entry.download is not None:
            assert size == f"{entry.megabytes} MB"
            assert source == entry.download.repo_id


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(WeightsNotFoundError, match=r"no weights 'sam_vit_x'.*sam_vit_b, sam_vit_l"):
        entry_of("sam_vit_x")
    assert entry_with("0" * 64) is None


def test_the_package_is_light() -> None:
    """No torch, nothing of the product, and no HTTP library until something is asked."""
    script = (
        "import sys, hub_weights; hub_weights.list_weights; "
        "print({'torch', 'vrpsam_app', 'numpy', 'huggingface_hub'} & set(sys.modules))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"

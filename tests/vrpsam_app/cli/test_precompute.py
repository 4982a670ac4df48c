"""``vrpsam precompute``, and the store that other commands then find everything in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.cli import main
from vrpsam_app.embeddings.files import EmbeddingFolder

pytestmark = pytest.mark.usefixtures("folder")


def test_what_was_stored_is_found(capsys: pytest.CaptureFixture[str]):
    """With the model that comes with the program: its embeddings have a name to be found by."""
    assert main(["precompute", "a.png", "b.png", "--store", "store"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["a.png: 1 stored, 0 found", "b.png: 1 stored, 0 found"]
    assert lines[2].startswith("2 stored, 0 found, 0 of 2 files failed; store holds ")
    assert len(EmbeddingFolder("store")) == 2

    segment = ["segment", "--reference", "a.png", "--box", "30,2,40,12", "--target", "b.png"]
    assert main([*segment, "--store", "store", "--out", "with"]) == 0
    assert len(EmbeddingFolder("store")) == 2
    assert main([*segment, "--out", "without"]) == 0
    assert Path("with/b_mask.png").read_bytes() == Path("without/b_mask.png").read_bytes()
    capsys.readouterr()
    assert main(["precompute", "a.png", "b.png", "--store", "store"]) == 0
    assert "0 stored, 2 found" in capsys.readouterr().out


def test_broken_and_deep_pictures(capsys: pytest.CaptureFixture[str]):
    Path("c.png").write_bytes(b"broken")
    deep = np.linspace(0, 4000, 400).reshape(20, 20).astype(np.uint16)
    Image.fromarray(deep).save("deep.png")
    assert main(["precompute", "deep.png", "c.png", "--store", "store"]) == 1
    said = capsys.readouterr()
    assert "deep.png: 1 stored, 0 found, shown from 0 to 4000" in said.out
    assert "1 of 2 files failed" in said.out
    assert "c.png" in said.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.png", "--store", "off"), "nothing to precompute"),
        (("a.png", "--store", "a.png"), "cannot keep embeddings"),
        (("a.png", "--store-size", "0"), "gigabytes"),
        (("a.png", "--intensity-range", "9,1"), "the lower and the higher"),
        (("a.png", "--channels", ","), "Channels"),
        (("none.png",), "stands for no image"),
    ],
)
def test_wrong_use_is_explained(vrpsam, tmp_path, monkeypatch, arguments, message: str):
    monkeypatch.setenv("VRPSAM_STORE", str(tmp_path / "default"))
    outcome = vrpsam("precompute", *arguments)
    assert outcome.code == 2
    assert message in outcome.err


def test_a_typed_pixel_size_is_that_of_the_references_too(vrpsam, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "vrpsam_app.precompute.encode_files", lambda *_, **settings: asked.append(settings) or []
    )
    outcome = vrpsam(
        "precompute", "a.png", "--reference", "ref.png", "--box", "8,5,18,15",
        "--pixel-size", "0.3", "--store", "store",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert asked[0]["tiling"].reference_pixel_size == asked[0]["reading"].pixel_size


def test_a_size_needs_a_store(vrpsam):
    outcome = vrpsam(
        "segment", "--reference", "ref.png", "--box", "8,5,18,15", "--target", "a.png",
        "--out", "results", "--store-size", "3",
    )  # fmt: skip
    assert outcome.code in (0, 2)

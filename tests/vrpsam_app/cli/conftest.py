"""Pictures of red and green squares on grey, and `vrpsam` run in this process on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.cli import main, segment

RED, GREEN, GREY = (220, 30, 30), (30, 200, 40), (120, 120, 120)


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


def squares(
    red: tuple[int, int] | None, green: tuple[int, int] | None, hw: tuple[int, int] = (40, 60)
) -> np.ndarray:
    """Return a grey picture with a square of 10 pixels at (row, column) for each colour given."""
    image = np.full((*hw, 3), GREY, np.uint8)
    for place, colour in ((red, RED), (green, GREEN)):
        if place is not None:
            image[place[0] : place[0] + 10, place[1] : place[1] + 10] = colour
    return image


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with ``ref.png``, ``a.png`` (both), ``b.png`` (green only)."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(squares(red=(5, 8), green=(20, 40))).save("ref.png")
    Image.fromarray(squares(red=(22, 3), green=(2, 30))).save("a.png")
    Image.fromarray(squares(red=None, green=(10, 10), hw=(30, 50))).save("b.png")
    return tmp_path


@pytest.fixture
def vrpsam(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path_factory: pytest.TempPathFactory,
    colour_segmenter,
) -> Callable[..., Outcome]:
    """Run ``vrpsam`` with these arguments, on the segmenter that looks for a colour."""
    monkeypatch.setenv("VRPSAM_STORE", str(tmp_path_factory.mktemp("embeddings")))
    monkeypatch.setattr(segment, "load_predictor", lambda *arguments, **settings: colour_segmenter)

    def run(*arguments: object) -> Outcome:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse ends the program itself
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run

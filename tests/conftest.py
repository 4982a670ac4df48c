"""Fixtures for all tests: a tiny SAM, and the rule that fills weights by their keys."""

from __future__ import annotations

import os
import runpy
import zlib
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    import torch

    from vrpsam_app.models.frozen_sam import FrozenSAM

# Set before anything imports torch, gradio or huggingface_hub: no network, few threads.
THREADS = "1" if "PYTEST_XDIST_WORKER" in os.environ else "2"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("OMP_NUM_THREADS", THREADS)
os.environ.setdefault("MKL_NUM_THREADS", THREADS)
# Idle threads sleep and do not spin: on cores shared with other work the tests are then far faster.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

GOLDEN_FOLDER = Path(__file__).parent / "golden"


def _value_of(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Draw the tensor that the rule in ``tests/golden/README.md`` gives for a key."""
    draw = np.random.default_rng(zlib.crc32(key.encode())).standard_normal(shape)
    n = draw.astype(np.float32)
    if key.endswith("running_var"):
        return np.exp(np.float32(0.1) * n)
    if len(shape) >= 2:
        return n * np.float32(np.sqrt(2 / prod(shape[1:])))
    return np.float32(0.1) * n + np.float32(key.endswith("weight"))


@pytest.fixture(scope="session")
def fill_by_key() -> Callable[..., None]:
    """Fill every parameter and buffer of a module; ``rename`` gives the key that seeds it."""

    def fill(module: torch.nn.Module, rename: Callable[[str], str] = str) -> None:
        import torch

        state = module.state_dict()
        for key, tensor in state.items():
            if tensor.is_floating_point():
                state[key] = torch.from_numpy(_value_of(rename(key), tuple(tensor.shape)))
            else:
                state[key] = torch.zeros_like(tensor)
        module.load_state_dict(state)

    return fill


@pytest.fixture(scope="session")
def value_of() -> Callable[[str, tuple[int, ...]], np.ndarray]:
    """Draw the tensor that belongs to a key of a shape."""
    return _value_of


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """Folder of the published code's outputs."""
    return GOLDEN_FOLDER


@pytest.fixture
def tiny_sam(fill_by_key: Callable[..., None]) -> FrozenSAM:
    """A SAM of 128 pixels and 32 channels, no tensor of which is zero."""
    from vrpsam_app.config import SAM_TINY
    from vrpsam_app.models.frozen_sam import FrozenSAM

    sam = FrozenSAM(SAM_TINY)
    fill_by_key(sam)
    return sam


@pytest.fixture
def colour_segmenter() -> Any:
    """Return a segmenter that finds what has the reference's colour."""
    from tests.colour_segmenter import ColourSegmenter

    return ColourSegmenter()


@pytest.fixture
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let weights and models lie in folders of the test's own."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("VRPSAM_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("VRPSAM_FOUNDATION", str(tmp_path / "foundation"))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Hub on this computer that the real huggingface_hub asks, and an empty cache."""
    import huggingface_hub
    from huggingface_hub import constants

    names = runpy.run_path(str(Path(__file__).with_name("hub_server.py")))
    server = names["HubServer"]()
    server.Fault, server.TOKEN = names["Fault"], names["TOKEN"]

    def use_address(address: str) -> None:
        # What the library reads from HF_ENDPOINT when it is imported.
        monkeypatch.setattr(constants, "ENDPOINT", address)
        template = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)

    server.use_address = use_address
    use_address(server.address)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    try:
        yield server
    finally:
        huggingface_hub.close_session()
        server.close()

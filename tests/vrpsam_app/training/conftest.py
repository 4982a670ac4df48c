"""A paper model on a tiny frozen SAM, its files, and pictures to learn from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vrpsam_app.config import SAM_TINY, ModelConfig, paper_config
from vrpsam_app.data.labelled_dataset import LabelledImage
from vrpsam_app.data.whole_pictures import WholePictures
from vrpsam_app.models.foundation import describe, load_foundation
from vrpsam_app.models.paper_vrp_sam import PaperVRPSAM
from vrpsam_app.training.pair_batches import PairPlan

SIDE = 64


@dataclasses.dataclass(frozen=True)
class Blocks:
    """Pictures of 40 x 60 with a bright block (class 1) and, in every other one, a dark one (2).

    With a border, a frame around each bright block is undecided; with a crowd, picture 3 shows
    more of class 1 than is labelled.
    """

    count: int = 6
    border: bool = False
    crowd: bool = False
    name: str = "blocks"
    class_names: tuple[str, ...] = ("bright", "dark")
    has_instances: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"p{k}" for k in range(self.count))

    @property
    def groups(self) -> Mapping[str, str]:
        return dict.fromkeys(self.names, "")

    @property
    def fields(self) -> Mapping[str, str]:
        return {name: name for name in self.names}

    def __len__(self) -> int:
        return self.count

    def load(self, index: int) -> LabelledImage:
        rng = np.random.default_rng(index)
        image = rng.integers(90, 140, (40, 60, 3)).astype(np.uint8)
        classes = np.zeros((40, 60), np.int32)
        classes[5 + index : 25 + index, 6:26] = 1
        if index % 2 == 0:
            classes[10:30, 34:54] = 2
        image[classes == 1] += 100
        image[classes == 2] -= 80
        ignored = None
        if self.border or (self.crowd and index == 3):
            ignored = np.zeros_like(classes)
        if self.border:
            ignored[3 + index : 27 + index, 4:28] = -1
            ignored[classes > 0] = 0
        if self.crowd and index == 3:
            ignored[30:40, 40:60] = 1
        return LabelledImage(
            self.names[index], image, np.zeros_like(classes), classes, self.class_names, ignored
        )

    def shown(self, index: int) -> Mapping[int, int]:
        return {1: 400, 2: 400} if index % 2 == 0 else {1: 400}


@pytest.fixture
def blocks() -> type[Blocks]:
    """Make data sets of pictures with blocks."""
    return Blocks


@pytest.fixture
def pair_plan() -> Callable[..., PairPlan]:
    """Make a plan of pairs of 64 x 64 pixels from data sets of blocks."""

    def make(dataset: Blocks | None = None, **settings: object) -> PairPlan:
        source = WholePictures(dataset or Blocks(), side=SIDE)
        return PairPlan(sources=((source, 1.0),), **{"size": 2, **settings})

    return make


@pytest.fixture(scope="session")
def small_config() -> ModelConfig:
    """The published composition, a fraction of its size."""
    config = paper_config("small_resnet", SAM_TINY)
    encoder = dataclasses.replace(
        config.vrp_encoder, image_size=SIDE, hidden_dim=32, num_queries=4, mask_pooling="area"
    )
    return dataclasses.replace(config, name="paper-small", vrp_encoder=encoder)


@pytest.fixture(scope="session")
def foundation(
    small_config: ModelConfig, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Files of the frozen parts: SAM's as segment-anything's checkpoints are, a state dict."""
    torch.manual_seed(7)
    model = PaperVRPSAM(small_config)
    folder = tmp_path_factory.mktemp("foundation")
    torch.save(model.sam.state_dict(), folder / "sam_tiny.pth")
    save_file(model.vrp_encoder.semantic_encoder.state_dict(), folder / "backbone.safetensors")
    return {"sam": folder / "sam_tiny.pth", "backbone": folder / "backbone.safetensors"}


@pytest.fixture
def paper_model(
    small_config: ModelConfig, foundation: dict[str, Path]
) -> Callable[..., PaperVRPSAM]:
    """Build the small paper model on its files; the same weights each time."""

    def build(**changes: object) -> PaperVRPSAM:
        torch.manual_seed(0)
        encoder = dataclasses.replace(small_config.vrp_encoder, **changes)
        files = {part: describe(file) for part, file in foundation.items()}
        model = PaperVRPSAM(
            dataclasses.replace(small_config, vrp_encoder=encoder, foundation=files)
        )
        load_foundation(model, foundation)
        return model

    return build

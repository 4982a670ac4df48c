"""Sizes of the small scale: what stands for SAM ViT-H, ResNet, 512 pixels and fifty epochs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from vrpsam_app.config import ModelConfig, SAMConfig, VRPEncoderConfig
from vrpsam_app.errors import ConfigError
from vrpsam_app.reproduction.experiments import Backbone, Variant

if TYPE_CHECKING:
    from vrpsam_app.models.small_backbones import SmallBackboneName

STRIDE = 8
"""Pixels of a cell of SAM's embedding."""

BACKBONES: Mapping[Backbone, SmallBackboneName] = MappingProxyType(
    {"resnet50": "small_resnet", "vgg16": "small_vgg"}
)
"""What stands for the paper's backbones; nothing stands for DINOv2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallScale:
    """What may be chosen; the defaults let a table take some ten minutes on two cores.

    Attributes
    ----------
    size : side of the pictures in pixels
    sam_steps, backbone_steps : of the parts that are frozen afterwards
    steps : of each model
    groups : of scenes to learn from, of each benchmark
    episodes : asked of each fold
    batch : episodes of a step
    seed : of everything
    """

    size: int = 128
    sam_steps: int = 2500
    backbone_steps: int = 600
    steps: int = 400
    groups: int = 240
    episodes: int = 100
    batch: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if self.size < 64 or self.size % (2 * STRIDE):
            raise ConfigError(
                f"size is {self.size}: expected a multiple of {2 * STRIDE} from 64 on, as a cell "
                f"of the small SAM's embedding covers {STRIDE} pixels."
            )
        for name in ("sam_steps", "backbone_steps", "steps", "groups", "episodes", "batch"):
            if (value := getattr(self, name)) < 1:
                raise ConfigError(f"{name} is {value}: expected a positive number.")

    @property
    def sam(self) -> SAMConfig:
        """Return the small SAM: segment-anything's classes, all attention global."""
        return SAMConfig(
            name="vit_small",
            image_size=self.size,
            embedding_stride=STRIDE,
            prompt_dim=64,
            width=96,
            depth=4,
            heads=4,
            global_attention_blocks=(0, 1, 2, 3),
            window_size=0,
            mask_channels=8,
            decoder_heads=4,
            decoder_mlp_dim=256,
            iou_head_hidden=64,
        )

    def model(self, variant: Variant) -> ModelConfig:
        """Return what a variant of the paper's is at this scale.

        Raises
        ------
        ConfigError
            If nothing stands for its backbone.
        """
        if variant.backbone not in BACKBONES:
            raise ConfigError(
                f"Nothing stands for {variant.backbone} at small scale: expected one of "
                f"{', '.join(BACKBONES)}."
            )
        return ModelConfig(
            name=f"small-{variant.backbone}",
            sam=self.sam,
            vrp_encoder=VRPEncoderConfig(
                semantic_encoder=BACKBONES[variant.backbone],
                image_size=self.size,
                hidden_dim=self.sam.prompt_dim,
                num_queries=variant.num_queries,
                query_init=variant.query_init,
            ),
        )

    def part_of(self, *fields: str) -> dict[str, object]:
        """Return some of the settings by name, as what a result depends on."""
        return {name: getattr(self, name) for name in fields}


def digest(content: object) -> str:
    """Return a short hash of dataclasses and plain values: equal content, equal hash."""
    text = json.dumps(content, sort_keys=True, default=_plain)
    return hashlib.blake2b(text.encode("utf-8"), digest_size=6).hexdigest()


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"{value!r} has no place in a hash.")

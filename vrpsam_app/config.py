"""What a model is, as frozen dataclasses that are saved as ``config.json`` beside its weights.

Everything a checkpoint was trained with stands here: a file of weights without its configuration
does not say at which size, with which resizing or from which kind of marks it was learned.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from hub_weights.model_folder import SCHEMA_VERSION
from vrpsam_app.errors import ConfigError

ImageEncoderName = Literal["vit", "tiny_vit", "conv"]
SemanticEncoderName = Literal[
    "resnet50_v2",
    "resnet101_v2",
    "resnet50",
    "vgg16_bn",
    "dinov2_b14",
    "small_resnet",
    "small_vgg",
    "shared",
]
QueryInit = Literal["random", "foreground", "background", "half"]
"""What prompt queries start from: learned vectors, or prototypes of the reference (Table 6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SAMConfig:
    """Sizes of a SAM made of segment-anything's classes.

    The defaults are SAM ViT-B. With ``image_encoder="tiny_vit"`` the vision transformer is replaced
    by MobileSAM's, with ``"conv"`` by the small convolutional encoder of the embedded model; prompt
    encoder and mask decoder stay segment-anything's.
    """

    name: str = "vit_b"
    image_encoder: ImageEncoderName = "vit"
    image_size: int = 1024
    embedding_stride: int = 16
    prompt_dim: int = 256
    width: int = 768
    depth: int = 12
    heads: int = 12
    global_attention_blocks: tuple[int, ...] = (2, 5, 8, 11)
    window_size: int = 14
    mlp_ratio: float = 4.0
    mask_channels: int = 16
    decoder_depth: int = 2
    decoder_heads: int = 8
    decoder_mlp_dim: int = 2048
    iou_head_depth: int = 3
    iou_head_hidden: int = 256

    @property
    def embedding_side(self) -> int:
        """Side of the square embedding grid that ``image_size`` gives."""
        return self.image_size // self.embedding_stride


SAM_VIT_B = SAMConfig()
SAM_VIT_L = SAMConfig(
    name="vit_l", width=1024, depth=24, heads=16, global_attention_blocks=(5, 11, 17, 23)
)
SAM_VIT_H = SAMConfig(
    name="vit_h", width=1280, depth=32, heads=16, global_attention_blocks=(7, 15, 23, 31)
)
# Same classes, small enough for tests and for trying things out: 2 blocks, 128 px.
SAM_TINY = SAMConfig(
    name="vit_tiny",
    image_size=128,
    prompt_dim=32,
    width=32,
    depth=2,
    heads=2,
    global_attention_blocks=(1,),
    window_size=3,
    mask_channels=8,
    decoder_heads=4,
    decoder_mlp_dim=64,
    iou_head_hidden=32,
)
# MobileSAM: a TinyViT in the place of the vision transformer, whose sizes are then not read.
SAM_MOBILE = SAMConfig(name="mobile_sam", image_encoder="tiny_vit")
# The embedded model's SAM: a convolutional encoder at stride 8, everything after it 128 wide.
SAM_CONV_SMALL = SAMConfig(
    name="conv_small",
    image_encoder="conv",
    image_size=512,
    embedding_stride=8,
    prompt_dim=128,
    width=32,
    depth=2,
    decoder_heads=4,
    decoder_mlp_dim=512,
    iou_head_hidden=128,
)
SAM_CONFIGS: Mapping[str, SAMConfig] = MappingProxyType(
    {c.name: c for c in (SAM_VIT_B, SAM_VIT_L, SAM_VIT_H, SAM_MOBILE, SAM_TINY, SAM_CONV_SMALL)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VRPEncoderConfig:
    """The trained part: how an annotated reference becomes visual prompts.

    The defaults are the published VRP encoder on ResNet-50 (paper, section 3.2; METHOD of the
    published code): 512 x 512 squash, masks times ten, cosine pseudo-mask, 50 learned queries, one
    layer.
    """

    semantic_encoder: SemanticEncoderName = "resnet50_v2"
    image_size: int = 512
    hidden_dim: int = 256
    num_queries: int = 50
    query_init: QueryInit = "random"
    num_heads: int = 4
    dropout: float = 0.5
    mask_gain: float = 10.0
    mask_pooling: Literal["nearest", "area"] = "area"
    pseudo_mask: Literal["cosine", "closed_form"] = "cosine"
    max_foreground: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundationFile:
    """Weights of somebody else's that a model stands on and does not hold itself.

    Attributes
    ----------
    file : its name, without the folder it lay in
    sha256 : of its bytes, hexadecimal
    """

    file: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """One complete model: preprocessing, SAM, VRP encoder, and what it was trained with.

    ``foundation`` names the files of frozen parts, ``sam`` and ``backbone``, that a model folder
    leaves out; empty where the folder holds all weights.
    """

    name: str
    sam: SAMConfig
    vrp_encoder: VRPEncoderConfig
    resize: Literal["squash", "longest_side"] = "squash"
    align_corners: bool = True
    presence_threshold: float = 0.5
    license: str = "unknown"
    foundation: Mapping[str, FoundationFile] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if self.schema_version != SCHEMA_VERSION:
            raise ConfigError(
                f"The model's configuration has schema version {self.schema_version}, this "
                f"release reads version {SCHEMA_VERSION}. Install the release that wrote it."
            )
        for name, value in (
            ("sam.image_size", self.sam.image_size),
            ("vrp_encoder.image_size", self.vrp_encoder.image_size),
            ("vrp_encoder.num_queries", self.vrp_encoder.num_queries),
        ):
            if value < 1:
                raise ConfigError(f"{name} is {value}: expected a positive number of pixels.")

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries, lists and numbers, ready for :mod:`json`."""
        plain: dict[str, Any] = json.loads(json.dumps(_plain(self)))
        return plain

    @classmethod
    def from_json(cls, data: object) -> ModelConfig:
        """Build a configuration from what :meth:`to_json` gave.

        Raises
        ------
        ConfigError
            If a field is missing, unknown, of the wrong type, or from another schema version.
        """
        if not isinstance(data, dict):
            raise ConfigError(
                f"The model's configuration is a {type(data).__name__}: expected a JSON object."
            )
        fields = dict(data)
        fields["sam"] = _build(SAMConfig, fields.get("sam"), "sam")
        fields["vrp_encoder"] = _build(VRPEncoderConfig, fields.get("vrp_encoder"), "vrp_encoder")
        if not isinstance(named := fields.get("foundation", {}), dict):
            raise ConfigError(f"foundation is {named!r}: expected a JSON object.")
        fields["foundation"] = {
            part: _build(FoundationFile, file, f"foundation.{part}") for part, file in named.items()
        }
        return _build(cls, fields, "config")

    def save(self, folder: Path) -> Path:
        """Write ``config.json`` into `folder` and return its path."""
        path = folder / "config.json"
        partial = path.with_suffix(".json.part")
        partial.write_text(json.dumps(self.to_json(), indent=2) + "\n", encoding="utf-8")
        partial.replace(path)
        return path

    @classmethod
    def load(cls, folder: Path) -> ModelConfig:
        """Read ``config.json`` from `folder`.

        Raises
        ------
        ConfigError
            If the file is missing or is not a configuration of this release.
        """
        path = folder / "config.json"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ConfigError(
                f"{path} does not exist: a model folder holds config.json and model.safetensors."
            ) from error
        except ValueError as error:
            raise ConfigError(f"{path} is not valid JSON ({error}). Fetch it again.") from error
        return cls.from_json(data)


def paper_config(
    semantic_encoder: SemanticEncoderName = "resnet50_v2", sam: SAMConfig = SAM_VIT_H
) -> ModelConfig:
    """Return the preset that computes what the published code computes.

    Masks reach the feature grid by nearest sampling there, so that small marks can vanish; use
    ``dataclasses.replace(config.vrp_encoder, mask_pooling="area")`` for one's own training.
    """
    return ModelConfig(
        name=f"paper-{semantic_encoder}-{sam.name}",
        sam=sam,
        vrp_encoder=VRPEncoderConfig(semantic_encoder=semantic_encoder, mask_pooling="nearest"),
    )


EMBEDDED_CONFIG = ModelConfig(
    name="embedded",
    sam=SAM_CONV_SMALL,
    vrp_encoder=VRPEncoderConfig(
        semantic_encoder="shared",
        hidden_dim=128,
        num_queries=16,
        dropout=0.0,
        mask_gain=1.0,
        pseudo_mask="closed_form",
        max_foreground=256,
    ),
    resize="longest_side",
    align_corners=False,
    license="apache-2.0",
)

T = TypeVar("T")


def _plain(value: Any) -> Any:
    """Turn dataclasses and mappings into dictionaries (``asdict`` cannot copy mapping proxies)."""
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _build(cls: type[T], data: object, where: str) -> T:
    """Construct a dataclass from a JSON object, naming what does not fit."""
    if not isinstance(data, dict):
        raise ConfigError(f"{where} is {data!r}: expected a JSON object.")
    known = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if unknown := sorted(set(data) - set(known)):
        raise ConfigError(
            f"{where} holds unknown fields {', '.join(unknown)}. The model was probably written "
            "by a newer release: install that one."
        )
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    try:
        return cls(**values)
    except TypeError as error:
        raise ConfigError(f"{where} is incomplete: {error}.") from error

"""From a configuration to modules with random weights; nothing is read from disk."""

from __future__ import annotations

from typing import Any

from vrpsam_app.config import ModelConfig
from vrpsam_app.errors import ConfigError
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.paper_vrp_sam import PaperVRPSAM
from vrpsam_app.models.vrp_sam import VRPSAM


def build_model(config: ModelConfig) -> VRPSAM[Any, Any]:
    """Build the model a configuration describes.

    Raises
    ------
    ConfigError
        If its parts do not go together.
    """
    shared = config.vrp_encoder.semantic_encoder == "shared"
    if shared != (config.sam.image_encoder == "conv"):
        raise ConfigError(
            f"Semantic encoder {config.vrp_encoder.semantic_encoder!r} does not go with SAM's "
            f"image encoder {config.sam.image_encoder!r}: expected 'shared' with 'conv', or a "
            "backbone of its own with 'vit'."
        )
    if shared and config.vrp_encoder.query_init != "random":
        raise ConfigError(
            f"query_init {config.vrp_encoder.query_init!r} does not go with a shared backbone, "
            "whose prompt queries are learned: expected 'random', or a backbone of its own."
        )
    if not shared and config.vrp_encoder.hidden_dim != config.sam.prompt_dim:
        raise ConfigError(
            f"Visual prompts of {config.vrp_encoder.hidden_dim} channels do not go with SAM "
            f"{config.sam.name!r}, whose prompts have {config.sam.prompt_dim}: give both the same."
        )
    return EmbeddedVRPSAM(config) if shared else PaperVRPSAM(config)

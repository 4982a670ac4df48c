"""The embedded model at a size that learns within a test."""

from __future__ import annotations

import dataclasses

from vrpsam_app.config import EMBEDDED_CONFIG

SMALL = dataclasses.replace(
    EMBEDDED_CONFIG,
    sam=dataclasses.replace(EMBEDDED_CONFIG.sam, width=8, prompt_dim=32, depth=1, image_size=64),
    vrp_encoder=dataclasses.replace(EMBEDDED_CONFIG.vrp_encoder, hidden_dim=32, num_queries=4),
)

"""Runs with a name: what the embedded model and the paper's models are trained with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from vrpsam_app.config import EMBEDDED_CONFIG, ModelConfig, paper_config
from vrpsam_app.errors import ConfigError
from vrpsam_app.training.training_run import TrainingRun

if TYPE_CHECKING:
    from vrpsam_app.data.class_folds import NovelRule

PresetName = Literal["embedded", "paper-coco", "paper-pascal"]

PAPER_SEED = 321
"""Of the published code, for training and evaluation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What a run begins with.

    Attributes
    ----------
    config : ModelConfig
    benchmark : whose folds it learns from, None for labelled folders and scenes
    settings : fields of :class:`TrainingRun` that differ from its defaults
    """

    config: ModelConfig
    benchmark: Literal["coco20i", "pascal5i"] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "embedded": Preset(config=EMBEDDED_CONFIG),
        # Section 5.1 of the paper: batch 8, AdamW, per-iteration cosine.
        "paper-coco": Preset(
            config=paper_config(),
            benchmark="coco20i",
            settings={"learning_rate": 1e-4, "epochs": 50, "batch": 8, "seed": PAPER_SEED},
        ),
        "paper-pascal": Preset(
            config=paper_config(),
            benchmark="pascal5i",
            settings={"learning_rate": 2e-4, "epochs": 100, "batch": 8, "seed": PAPER_SEED},
        ),
    }
)


def paper_run(
    name: str,
    root: Path,
    fold: int,
    folder: Path,
    *,
    sam: Path,
    backbone: Path,
    novel: NovelRule = "excluded",
    **changes: Any,
) -> TrainingRun:
    """Return the run that makes the paper's model of one fold.

    Parameters
    ----------
    name : "paper-coco" or "paper-pascal"
    root : Path
        Of the data set.
    fold : 0 to 3
    folder : Path
        Of the run.
    sam, backbone : Path
        Files of the frozen weights.
    novel : "excluded" or "background"
        What becomes of training pictures that show a novel class.
    changes
        Other fields of :class:`TrainingRun`.

    Raises
    ------
    ConfigError
        If the preset has no folds.
    """
    from vrpsam_app.data.data_words import DataWords

    preset = PRESETS.get(name)
    if preset is None or preset.benchmark is None:
        known = ", ".join(n for n, p in PRESETS.items() if p.benchmark)
        raise ConfigError(f"{name!r} has no folds to train on: expected one of {known}.")
    fields = {"config": preset.config, **preset.settings, **changes}
    config = fields.pop("config")
    return TrainingRun(
        config=dataclasses.replace(config, name=f"{name}-fold{fold}"),
        folder=folder,
        data=(DataWords(folder=root, benchmark=preset.benchmark, fold=fold, novel=novel),),
        sam=sam,
        backbone=backbone,
        **fields,
    )

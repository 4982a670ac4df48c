"""What the gate "it is not in this picture" gains on absent objects and costs on present ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vrpsam_app.errors import ConfigError
from vrpsam_app.evaluation.metrics import Mask
from vrpsam_app.segmenter import Prediction

FALSE_ALARM_SHARE = 0.01
"""A mask of an absent object is a false alarm if it covers more of the picture than this."""


@dataclass(frozen=True, slots=True)
class PresenceFigures:
    """Both sides of the gate; None where there was no such target.

    Attributes
    ----------
    false_alarms : share of the absent targets with a mask over 1 % of the image
    iou_lost : mean IoU that present targets lose against the mask without the gate
    """

    false_alarms: float | None
    iou_lost: float | None


def presence_figures(
    absent_shares: Sequence[float], gated: Sequence[float], ungated: Sequence[float]
) -> PresenceFigures:
    """Sum up targets with and without the object.

    Parameters
    ----------
    absent_shares : share of the image the mask covers, of each target without the object
    gated, ungated : IoU of the mask, and of :func:`ungated_mask`, of each target with the object

    Raises
    ------
    ConfigError
        If `gated` and `ungated` are not of the same targets.
    """
    if len(gated) != len(ungated):
        raise ConfigError(
            f"There are {len(gated)} gated and {len(ungated)} ungated figures: expected both of "
            "each target."
        )
    alarms = [share > FALSE_ALARM_SHARE for share in absent_shares]
    lost = [without - with_gate for with_gate, without in zip(gated, ungated, strict=True)]
    return PresenceFigures(
        false_alarms=float(np.mean(alarms)) if alarms else None,
        iou_lost=float(np.mean(lost)) if lost else None,
    )


def ungated_mask(prediction: Prediction) -> Mask:
    """Return the mask a prediction would have if its object were judged present."""
    mask: Mask = prediction.probability > prediction.threshold
    return mask


def covered_share(mask: Mask, ignore: Mask | None = None) -> float:
    """Return the share of the pixels that count which a mask covers; 0 where none counts."""
    counting = mask if ignore is None else mask[~ignore]
    return float(counting.mean()) if counting.size else 0.0

"""Everything in a picture that SAM takes for an object, asked by a grid of clicks.

Kirillov et al., Segment Anything, ICCV 2023, section 5 and appendix B: each click gives three
masks; those stay that SAM is sure of, that hardly change with the threshold, and that no better one
covers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vrpsam_app.errors import ConfigError
from vrpsam_app.methods.found_objects import FoundObject, box_of
from vrpsam_app.methods.sam_pictures import SAMPicture, SAMPictures, SAMPrompt
from vrpsam_app.models.torchvision_ops import non_maximum_suppression

CLICKS_AT_ONCE = 64
"""Clicks whose masks are held before the bad ones are dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomaticSettings:
    """How many clicks, and which of their masks stay; the defaults are the published ones.

    Attributes
    ----------
    points_per_side : clicks along each side of the picture
    least_score : predicted intersection over union
    least_stability : share of a mask at a lower threshold that is left at a higher one
    stability_offset : how much lower and higher, in logits
    same_box : intersection over union of two masks' boxes above which the better one stays
    least_area : of a mask, as a share of the picture

    Raises
    ------
    ConfigError
        If there are no clicks.
    """

    points_per_side: int = 32
    least_score: float = 0.88
    least_stability: float = 0.95
    stability_offset: float = 1.0
    same_box: float = 0.7
    least_area: float = 0.0

    def __post_init__(self) -> None:
        if self.points_per_side < 1:
            raise ConfigError(
                f"points_per_side is {self.points_per_side}: expected at least one click."
            )


DEFAULT = AutomaticSettings()


def automatic_masks(
    pictures: SAMPictures, picture: SAMPicture, settings: AutomaticSettings = DEFAULT
) -> list[FoundObject]:
    """Find all objects of a picture.

    Parameters
    ----------
    pictures : SAMPictures
    picture : SAMPicture
    settings : AutomaticSettings

    Returns
    -------
    objects : list of FoundObject
        The largest first, so that what lies in another one comes after it. Their evidence is 1:
        nothing in particular was looked for.
    """
    prompts = _clicks(picture, settings.points_per_side)
    kept = [
        _good_ones(pictures, picture, prompts[start : start + CLICKS_AT_ONCE], settings)
        for start in range(0, len(prompts), CLICKS_AT_ONCE)
    ]
    logits, scores = (torch.cat(parts) for parts in zip(*kept, strict=True))
    if not len(logits):
        return []
    visible = picture.grid.of_picture(logits) > 0
    # Only masks with pixels have passed.
    boxes = torch.tensor([box_of(mask) for mask in visible], dtype=torch.float32)
    best = non_maximum_suppression(boxes, scores.cpu(), settings.same_box)
    areas = visible.flatten(1).sum(1).cpu()[best]
    best = best[torch.argsort(areas, descending=True, stable=True)]
    return [
        FoundObject(logits[i].float(), float(scores[i].clamp(0, 1)), 1.0) for i in best.tolist()
    ]


def _clicks(picture: SAMPicture, per_side: int) -> list[SAMPrompt]:
    """Spread clicks evenly, row after row."""
    height, width = picture.grid.original_hw
    middles = (np.arange(per_side) + 0.5) / per_side
    return [
        SAMPrompt.at([np.array([x * width, y * height], np.float32)])
        for y in middles
        for x in middles
    ]


def _good_ones(
    pictures: SAMPictures,
    picture: SAMPicture,
    prompts: list[SAMPrompt],
    settings: AutomaticSettings,
) -> tuple[Tensor, Tensor]:
    """Return logits (N, 4h, 4w) and scores (N,) of the masks that SAM is sure of."""
    answers = pictures.ask(picture, prompts)
    logits, scores = answers.logits[:, 1:].flatten(0, 1), answers.scores[:, 1:].flatten()
    sure = scores >= settings.least_score
    logits, scores = logits[sure], scores[sure]
    visible = picture.grid.of_picture(logits)
    area, tight, loose = (
        (visible > limit).flatten(1).sum(1)
        for limit in (0.0, settings.stability_offset, -settings.stability_offset)
    )
    steady = tight >= settings.least_stability * loose
    pixels = visible.shape[-2] * visible.shape[-1]
    good = steady & (area > settings.least_area * pixels)
    # Hundreds of them are held until all clicks are answered.
    return logits[good].half(), scores[good]

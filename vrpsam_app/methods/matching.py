"""Segment by matching features, without any training: there and back, then SAM, then agreement.

1. Each cell of the target is compared with all cells of the references, both ways, and scored by a
   classifier that is solved on them in closed form: the evidence. A whole model adds its opinion.
2. Where it is strong SAM is asked by points, by a box and by the evidence as a mask.
3. Its answers, and the evidence itself, are guesses at objects: those that agree are merged, those
   that the evidence does not support are dropped.

The idea of matching both ways and asking SAM is that of Liu et al., Matcher: Segment Anything with
One Shot Using All-Purpose Feature Matching, ICLR 2024, arXiv:2305.13310; the rest is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.annotations import Mask
from vrpsam_app.corrections import Corrections
from vrpsam_app.geometry import resize_bilinear
from vrpsam_app.images import IntensityRange, to_rgb
from vrpsam_app.methods.found_objects import FoundObject, mean_score
from vrpsam_app.methods.mask_agreement import Guesses, merge_by_agreement
from vrpsam_app.methods.matching_evidence import Evidence, evidence_in, knowledge_of
from vrpsam_app.methods.matching_prompters import AskedTarget, Prompter
from vrpsam_app.methods.matching_prompts import EvidenceParts, as_tensor
from vrpsam_app.methods.sam_method import marked_references
from vrpsam_app.methods.semantic_maps import SemanticMaps
from vrpsam_app.reference_segmenter import ReferenceSegmenter
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction

LEFT_OVER = 0.25
"""Share of a part of the evidence from which what no object covers is an object of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingSettings:
    """What may be chosen.

    Attributes
    ----------
    presence : the object is absent below it, see :attr:`Prediction.presence`
        With a SAM; a whole model's own verdict is better founded, and is taken.
    evidence : mean evidence that an object needs inside
    """

    presence: float = 0.4
    evidence: float = 0.4


DEFAULT = MatchingSettings()


class Matching(ReferenceSegmenter):
    """Matching on the features of `maps`, masks by `prompter`.

    Parameters
    ----------
    maps : SemanticMaps
        Says what things are: DINOv2, a model's semantic features, or a SAM's own embedding.
    prompter : Prompter
        Says where they end.
    settings : MatchingSettings

    Examples
    --------
    >>> pictures = SAMPictures.from_file("sam_vit_b_01ec64.pth")  # doctest: +SKIP
    >>> maps = BackboneMaps.from_file("dinov2_vitb14_pretrain.pth")  # doctest: +SKIP
    >>> Matching(maps, SAMPrompter(pictures)).predict(target, references)  # doctest: +SKIP
    """

    name: ClassVar[str] = "matching"

    def __init__(
        self, maps: SemanticMaps, prompter: Prompter, *, settings: MatchingSettings = DEFAULT
    ) -> None:
        self.maps, self.prompter, self.settings = maps, prompter, settings

    @property
    def input_side(self) -> int:
        """Longer side, in pixels, of a picture that is seen without being reduced."""
        return self.prompter.input_side

    def describe(self) -> dict[str, object]:
        """Return what a recipe must pin: method, both sets of weights, device, versions."""
        from vrpsam_app import __version__

        return {
            "method": self.name,
            **self.prompter.describe(),
            "features": {"model": self.maps.name, "sha256": self.maps.sha256},
            "device": str(self.maps.device),
            "precision": "fp32",
            "settings": asdict(self.settings),
            "versions": {
                "vrpsam_app": __version__,
                "torch": torch.__version__,
                "numpy": np.__version__,
            },
        }

    def _predict_one(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> Prediction:
        given = corrections or Corrections()
        asked = AskedTarget(
            target,
            to_rgb(target, intensity_range),
            marked_references(target, references, label, corrections),
            Corrections(
                tuple(a for a in given.annotations if not isinstance(a, Mask)), given.mask_logits
            ),
            intensity_range,
        )
        with torch.inference_mode():
            knowledge = knowledge_of(self.maps, asked.references, intensity_range)
            evidence = evidence_in(self.maps.encode(asked.rgb), knowledge)
            opinion = self.prompter.opinion(asked)
            parts = EvidenceParts.of(evidence, None if opinion is None else opinion.probability)
            clicked = self.prompter.clicked(asked, parts.evidence.shape)
            objects = [*clicked, *self._objects(asked, parts, clicked)]
        if any(a.positive for a in asked.corrections.annotations):
            presence, present = 1.0, True
        elif opinion is not None:
            presence, present = opinion.presence, opinion.present
        else:
            presence = _presence(objects, evidence)
            present = presence >= self.settings.presence
        return self._painted(
            objects,
            asked,
            parts,
            evidence,
            presence=presence,
            present=present and bool(objects),
            label=label,
            threshold=threshold,
        )

    def _objects(
        self, asked: AskedTarget, parts: EvidenceParts, clicked: Sequence[FoundObject]
    ) -> list[FoundObject]:
        """Ask for the parts, merge the answers, add what they leave over."""
        own = _of_evidence(parts)
        guesses = Guesses.join(own, self.prompter.guess(asked, parts))
        evidence = torch.from_numpy(parts.evidence)
        objects = merge_by_agreement(guesses, evidence, self.settings.evidence)
        objects = [o for o in objects if not _covered(o, clicked)]
        return objects + _left_over(parts, [*clicked, *objects], self.settings.evidence)

    def _painted(
        self,
        objects: Sequence[FoundObject],
        asked: AskedTarget,
        parts: EvidenceParts,
        evidence: Evidence,
        *,
        presence: float,
        present: bool,
        label: str,
        threshold: float,
    ) -> Prediction:
        hw = (asked.rgb.shape[0], asked.rgb.shape[1])
        # Where no object is, the evidence alone never makes one.
        probability = (0.5 * resize_bilinear(parts.evidence, hw).clip(0, 1)).astype(np.float32)
        labels = np.zeros(hw, np.int32)
        for number, found in enumerate(objects, start=1):
            logits = resize_bilinear(found.logits.numpy(), hw)
            own = (1 / (1 + np.exp(-np.clip(logits, -30, 30)))).astype(np.float32)
            more = own > probability
            probability[more], labels[more] = own[more], number
        mask = (probability > threshold) & present
        return Prediction(
            mask=mask,
            probability=probability,
            score=mean_score(objects),
            presence=float(np.clip(presence, 0, 1)),
            present=present,
            pseudo_mask=evidence.values.cpu().numpy(),
            label=label,
            made_by={**self.describe(), "range": asked.intensity_range},
            threshold=threshold,
            instance_labels=np.where(mask, labels, 0).astype(np.int32),
        )


def _of_evidence(parts: EvidenceParts) -> Guesses:
    """Take each part of the evidence for a guess: as good as it is strong inside."""
    logits = [as_tensor(parts.logits(part)) for part in range(len(parts))]
    inside = [
        float(parts.evidence[(own > 0).numpy()].mean()) if (own > 0).any() else 0.0
        for own in logits
    ]
    return Guesses(torch.stack(logits), torch.tensor(inside), torch.zeros(len(parts)).long())


def _left_over(
    parts: EvidenceParts, objects: Sequence[FoundObject], least_evidence: float
) -> list[FoundObject]:
    """Return what is left of parts that no object covers, where it is a good share of them."""
    taken = np.zeros(parts.evidence.shape, np.bool_)
    for found in objects:
        taken |= (found.logits > 0).numpy()
    near = ndimage.binary_dilation(taken, np.ones((3, 3)))
    left = []
    for part in range(len(parts)):
        logits = parts.logits(part)
        own = logits > 0
        free = own & ~near
        if free.sum() <= LEFT_OVER * own.sum():
            continue
        inside = float(parts.evidence[free].mean())
        if inside >= least_evidence:
            masked = np.where(near, np.minimum(logits, -1), logits).astype(np.float32)
            left.append(FoundObject(as_tensor(masked), inside, inside))
    return left


def _covered(found: FoundObject, clicked: Sequence[FoundObject]) -> bool:
    """Tell whether a person's clicks have given an object already, half of it at least."""
    mask = found.logits > 0
    return any(bool((mask & (c.logits > 0)).sum() > 0.5 * mask.sum()) for c in clicked)


def _presence(objects: Sequence[FoundObject], evidence: Evidence) -> float:
    """Judge by the best object, and by how well the references' object was found again."""
    best = max((o.evidence for o in objects), default=0.0)
    return best * evidence.recognised

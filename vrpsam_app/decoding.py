"""From a target and what is asked of it to predictions: the target is looked at once for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from vrpsam_app.corrections import Corrections
from vrpsam_app.encodings import Encodings
from vrpsam_app.images import IntensityRange, to_rgb
from vrpsam_app.model_input import InputGeometry
from vrpsam_app.models.embeddings import DecoderOutput, PromptTensors, TensorRecord
from vrpsam_app.reference_segmenter import Question
from vrpsam_app.segmenter import Prediction


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A target as the model sees it.

    Attributes
    ----------
    geometry : its sizes
    embedding : on the device, in fp32
    intensity_range : in which it was shown
    """

    geometry: InputGeometry
    embedding: TensorRecord
    intensity_range: IntensityRange | None


def look_at(
    encodings: Encodings, target: NDArray[np.generic], intensity_range: IntensityRange | None
) -> Seen:
    """Encode a checked target, or find its embedding."""
    rgb = to_rgb(target, intensity_range)
    geometry = InputGeometry.of(rgb.shape[:2], encodings.model.config)
    embedding = encodings.picture(rgb).to(encodings.device, torch.float32)
    return Seen(geometry, embedding, intensity_range)


def with_own_marks(question: Question, target: NDArray[np.generic]) -> Question:
    """Make a reference of the marks on the target: its pixels say most about it."""
    corrections = question.corrections
    if corrections is None or corrections.is_empty:
        return Question(question.label, question.references)
    own = corrections.as_references(target, question.label)
    return Question(question.label, [*question.references, *own], corrections)


def go_together(questions: Sequence[Question]) -> bool:
    """Tell whether questions differ only in what their references show, not in what these are."""
    kinds = {tuple(r.is_not_this for r in question.references) for question in questions}
    return len(kinds) == 1 and all(question.corrections is None for question in questions)


def answer(
    encodings: Encodings,
    seen: Seen,
    questions: Sequence[Question],
    threshold: float,
    made_by: Mapping[str, object],
    *,
    visual_prompts: bool = True,
) -> list[Prediction]:
    """Decode questions about one target in one batch.

    Parameters
    ----------
    encodings : of the model
    seen : the target
    questions : one, or several that :func:`go_together`
    threshold : on the probability
    made_by : what the predictor says of itself
    visual_prompts : False leaves the decoder to SAM's own prompts
    """
    model, geometry, count = encodings.model, seen.geometry, len(questions)
    corrections = questions[0].corrections
    with torch.inference_mode():
        target = seen.embedding
        if count > 1:
            target = target.take(torch.zeros(count, dtype=torch.long))
        references = []
        # One place after the other: the first references of all questions, then the second ones.
        for place in zip(*(question.references for question in questions), strict=True):
            first, *others = (encodings.reference(r, seen.intensity_range) for r in place)
            together = first.joined_with(others) if others else first
            references.append(together.to(encodings.device))
        output: DecoderOutput = model.decode(
            target,
            references,
            None if corrections is None else _prompts(encodings, corrections, geometry),
            visual_prompts=visual_prompts,
            together=_together(encodings, questions, seen.intensity_range),
        )
    described = {**made_by, "input_hw": geometry.input_hw, "range": seen.intensity_range}
    return [
        _prediction(
            encodings, output.take(torch.tensor([i])), geometry, q.label, threshold, described
        )
        for i, q in enumerate(questions)
    ]


def _together(
    encodings: Encodings, questions: Sequence[Question], intensity_range: IntensityRange | None
) -> TensorRecord | None:
    """Join what the references of each question say together; None if one's say nothing."""
    found = [encodings.together(q.references, intensity_range) for q in questions]
    known = [each for each in found if each is not None]
    if len(known) < len(found) or not known:
        return None
    first, *others = known
    return (first.joined_with(others) if others else first).to(encodings.device)


def _prediction(
    encodings: Encodings,
    output: DecoderOutput,
    geometry: InputGeometry,
    label: str,
    threshold: float,
    made_by: Mapping[str, object],
) -> Prediction:
    """Bring one answer of the decoder to the picture's size."""
    config = encodings.model.config
    with torch.inference_mode():
        logits = geometry.to_original(output.mask_logits, align_corners=config.align_corners)
    probability = torch.from_numpy(logits).sigmoid_().numpy()
    presence = float(output.presence[0])
    present = presence >= config.presence_threshold
    return Prediction(
        mask=(probability > threshold) & present,
        probability=probability,
        score=float(output.score[0]),
        presence=presence,
        present=present,
        pseudo_mask=output.pseudo_mask[0, 0].float().cpu().numpy(),
        label=label,
        made_by=made_by,
        threshold=threshold,
    )


def _prompts(
    encodings: Encodings, corrections: Corrections, geometry: InputGeometry
) -> PromptTensors:
    """Turn marks on the target into SAM's own prompts."""
    points_xy, labels = corrections.clicks_xy()
    box_xyxy = corrections.box_xyxy()
    box = geometry.points(box_xyxy.reshape(2, 2)).reshape(1, 4) if box_xyxy is not None else None
    logits = corrections.mask_logits
    prompts = PromptTensors(
        points_xy=geometry.points(points_xy) if len(points_xy) else None,
        point_labels=torch.from_numpy(labels)[None] if len(points_xy) else None,
        boxes_xyxy=box,
        mask_logits=None
        if logits is None
        else geometry.mask_logits(logits, encodings.model.output_hw(geometry.input_hw)),
    )
    return prompts.to(encodings.device)

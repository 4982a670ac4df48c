"""Who answers the prompts made of evidence: a SAM, or a whole model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from vrpsam_app.annotations import Point
from vrpsam_app.corrections import Corrections
from vrpsam_app.geometry import resize_bilinear
from vrpsam_app.images import IntensityRange
from vrpsam_app.methods.found_objects import FoundObject
from vrpsam_app.methods.mark_prompts import (
    CLEAR,
    MASK_PROMPT_FINER,
    ONE_CLICK_SCALES,
    negative_clicks,
    prompts_of_corrections,
)
from vrpsam_app.methods.mask_agreement import Guesses
from vrpsam_app.methods.matching_prompts import MASK_GAIN, EvidenceParts, as_tensor
from vrpsam_app.methods.sam_pictures import SAMPictures, SAMPrompt
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction

if TYPE_CHECKING:
    from vrpsam_app.predictor import VRPSAMPredictor


@dataclass(frozen=True, slots=True, eq=False)
class AskedTarget:
    """A target and what is asked of it.

    Attributes
    ----------
    image : as it was given
    rgb : shape (H, W, 3)
    references : with marks, those on the target among them
    corrections : of a person
    intensity_range : of the set
    """

    image: NDArray[Any]
    rgb: NDArray[np.uint8]
    references: Sequence[Reference]
    corrections: Corrections
    intensity_range: IntensityRange | None


class Prompter(Protocol):
    """Whatever answers the prompts made of evidence."""

    @property
    def input_side(self) -> int:
        """Longer side, in pixels, of a picture that it sees without reducing it."""
        ...

    def describe(self) -> dict[str, object]:
        """Return what a recipe must pin of it."""
        ...

    def opinion(self, asked: AskedTarget) -> Prediction | None:
        """Say without any prompts where the object is, and whether it is there, if it can."""
        ...

    def guess(self, asked: AskedTarget, parts: EvidenceParts) -> Guesses:
        """Answer with masks on the grid of the parts."""
        ...

    def clicked(self, asked: AskedTarget, hw: tuple[int, int]) -> list[FoundObject]:
        """Answer what a person clicked, on a grid of size `hw`; nothing if there is no click."""
        ...


class SAMPrompter:
    """A SAM, asked for each part by points, a box and a mask at once.

    Parameters
    ----------
    pictures : SAMPictures
    """

    def __init__(self, pictures: SAMPictures) -> None:
        self._pictures = pictures

    @property
    def input_side(self) -> int:
        """Side of the SAM's square."""
        return self._pictures.config.image_size

    def describe(self) -> dict[str, object]:
        """Return the SAM's name and weights."""
        return {"model": f"sam-{self._pictures.config.name}", "sha256": self._pictures.sha256}

    def opinion(self, asked: AskedTarget) -> None:
        """Return nothing: a SAM does not know what is looked for."""

    def guess(self, asked: AskedTarget, parts: EvidenceParts) -> Guesses:
        """Ask for each part; three scales for a point, one mask for what is clear."""
        picture = self._pictures.encode(asked.rgb)
        beside = [parts.beside_xy, *negative_clicks(asked.corrections)]
        prompts, meant = [], []
        side = MASK_PROMPT_FINER * picture.embedding.shape[-1]
        for part in range(len(parts)):
            points = parts.points_xy[part]
            for point in points:
                prompts.append(SAMPrompt.at([point], beside))
                meant.append(ONE_CLICK_SCALES)
            box = SAMPrompt.at(list(points[:1]), beside, box_xyxy=parts.boxes_xyxy[part])
            drawn = picture.grid.square_logits(parts.logits(part), side)
            prompts += [box, SAMPrompt.at(list(points[:1]), beside).refined(drawn, None)]
            meant += [CLEAR, CLEAR]
        answers = self._pictures.ask(picture, prompts)
        logits, scores, sources = [], [], []
        for number, which in enumerate(meant):
            own = answers.logits[number, which]
            logits.append(picture.grid.resized(own[None], parts.evidence.shape)[0].cpu())
            scores.append(answers.scores[number, which].cpu())
            sources.append(torch.full((len(own),), number))
        return Guesses(torch.cat(logits), torch.cat(scores).clamp(0, 1), torch.cat(sources))

    def clicked(self, asked: AskedTarget, hw: tuple[int, int]) -> list[FoundObject]:
        """Ask by the clicks, the box and the earlier answer of a person."""
        picture = self._pictures.encode(asked.rgb)
        prompts = prompts_of_corrections(asked.corrections, picture)
        if not prompts:
            return []
        answers = self._pictures.ask(picture, prompts)
        best = 1 + int(answers.scores[0, 1:].argmax())
        logits = picture.grid.resized(answers.logits[:1, best : best + 1], hw)[0, 0].cpu()
        return [FoundObject(logits, float(answers.scores[0, best].clamp(0, 1)), 1.0)]


class ModelPrompter:
    """A whole model, whose decoder leans on its own prior: asked for the class, not for each part.

    Each answer is cut where one part of the evidence ends and the next one is nearer.

    Parameters
    ----------
    predictor : VRPSAMPredictor
    """

    def __init__(self, predictor: VRPSAMPredictor) -> None:
        self._predictor = predictor

    @property
    def input_side(self) -> int:
        """That of the model."""
        return self._predictor.input_side

    def describe(self) -> dict[str, object]:
        """Return the model's name and weights."""
        said = self._predictor.describe()
        return {"model": said["model"], "sha256": said["sha256"]}

    def opinion(self, asked: AskedTarget) -> Prediction:
        """Predict as the model does by itself."""
        return self._predictor.predict(
            asked.image, asked.references, intensity_range=asked.intensity_range
        )

    def guess(self, asked: AskedTarget, parts: EvidenceParts) -> Guesses:
        """Ask for all parts by points, and by a mask."""
        firsts = [p[0] for p in parts.points_xy if len(p)]
        points = [Point(float(y), float(x)) for x, y in firsts]
        beside = Point(float(parts.beside_xy[1]), float(parts.beside_xy[0]), positive=False)
        own = asked.corrections.annotations
        earlier = asked.corrections.mask_logits
        questions = [Corrections((*own, *points, beside), earlier)]
        drawn = resize_bilinear(parts.logits(), asked.rgb.shape[:2])
        questions.append(Corrections((*own, beside), drawn))
        logits, scores, sources = [], [], []
        for number, question in enumerate(questions):
            found = self._predictor.predict_from_prompts(
                asked.image, asked.references, question, intensity_range=asked.intensity_range
            )
            answer = as_tensor(resize_bilinear(found.probability, parts.evidence.shape)).logit(1e-6)
            for part in range(len(parts)):
                alone = torch.from_numpy(parts.owner == part + 1)
                logits.append(answer.where(alone, torch.tensor(-MASK_GAIN / 2)))
                scores.append(float(np.clip(found.score, 0, 1)))
                sources.append(number)
        return Guesses(torch.stack(logits), torch.tensor(scores), torch.tensor(sources))

    def clicked(self, asked: AskedTarget, hw: tuple[int, int]) -> list[FoundObject]:
        """Return nothing: its answers to clicks are about the class, and are among the guesses."""
        return []

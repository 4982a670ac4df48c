"""PerSAM on any SAM: where the references' object is by likeness, what it is by SAM.

Each object is found in three passes, as published: by a point on it and one beside it, the decoder
guided by what is looked for; by the same points and that answer; by these and the answer's box.
What is taken is masked in the map of likeness and the next ones are asked for, until nothing looks
like the object any more. The picture is encoded once.

Other than the published code (:mod:`vrpsam_app.methods.persam_paper`), this one

* finds any number of objects, or says that there is none;
* takes a cell by the share of it that is marked, not by the brightness of a painted mask;
* tells the object from what is around it, by what the references say of that;
* completes points, strokes and boxes in the references by asking SAM there;
* adds a point on each part of the object that looks different;
* lays the cue where the picture is in SAM's square, and chooses among SAM's masks by likeness too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vrpsam_app.corrections import Corrections
from vrpsam_app.images import IntensityRange, to_rgb
from vrpsam_app.methods.found_objects import (
    SAME_OBJECT,
    FoundObject,
    box_of,
    evidence_under,
    overlaps,
)
from vrpsam_app.methods.mark_prompts import negative_clicks, prompts_of_corrections
from vrpsam_app.methods.object_model import ObjectModel, object_model_of
from vrpsam_app.methods.sam_method import SAMMethod, marked_references
from vrpsam_app.methods.sam_pictures import SAMAnswers, SAMPicture, SAMPictures, SAMPrompt
from vrpsam_app.models.guided_decoder import Guidance
from vrpsam_app.models.object_features import cosine_map
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction

SCALES = slice(1, 4)
"""SAM's three masks for an unclear question; mask 0 is the one for a clear question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerSAMSettings:
    """What may be chosen.

    Attributes
    ----------
    most_objects : in one picture
    at_once : objects asked for between two looks at the map
    presence : evidence, on the scale of :meth:`ObjectModel.evidence`, that the mean of a mask must
        reach to be an object; if none does the object is absent
    apart : cells between two points of the same look
    """

    most_objects: int = 64
    at_once: int = 8
    presence: float = 0.4
    apart: float = 2.0


DEFAULT = PerSAMSettings()


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What the references ask of one target.

    Attributes
    ----------
    picture : SAMPicture
    model : ObjectModel
    evidence : shape (rows, columns)
        0 in cells that do not show the picture.
    beside : points that are not the object, each (x, y)
    guidance : Guidance
    """

    picture: SAMPicture
    model: ObjectModel
    evidence: Tensor
    beside: tuple[NDArray[np.float32], ...]
    guidance: Guidance

    @classmethod
    def of(
        cls, picture: SAMPicture, model: ObjectModel, negative: Sequence[NDArray[np.float32]]
    ) -> Question:
        """Look for the object; the least likely cell is the first point beside it."""
        evidence = model.evidence(picture)
        inside = picture.grid.inside().to(evidence.device)
        guidance = Guidance(model.attention_cue(picture), model.embedding)
        lowest = int(torch.where(inside, evidence, torch.inf).argmin())
        beside = picture.grid.cell_xy(*divmod(lowest, evidence.shape[1]))
        return cls(picture, model, evidence * inside, (beside, *negative), guidance)

    def best_points(self, within: Tensor) -> list[NDArray[np.float32]]:
        """Return the best cell for each part of the object inside a mask, (rows, columns) bool."""
        maps = cosine_map(self.picture.cells, self.model.parts)
        places = {
            int(torch.where(within, part, -torch.inf).argmax()) for part in maps if within.any()
        }
        width = self.evidence.shape[1]
        return [self.picture.grid.cell_xy(*divmod(p, width)) for p in sorted(places)]


class PerSAM(SAMMethod):
    """PerSAM with the defaults above.

    Parameters
    ----------
    pictures : SAMPictures
    settings : PerSAMSettings

    Attributes
    ----------
    boxes_at_once : whether the second pass knows the first one's box already

    Examples
    --------
    >>> persam = PerSAM(SAMPictures.from_file("sam_vit_b_01ec64.pth"))  # doctest: +SKIP
    >>> persam.predict(target, references).instance_labels  # doctest: +SKIP
    """

    name: ClassVar[str] = "persam"
    boxes_at_once: ClassVar[bool] = False

    def __init__(self, pictures: SAMPictures, *, settings: PerSAMSettings = DEFAULT) -> None:
        super().__init__(pictures)
        self.settings = settings

    def _predict_one(
        self,
        target: NDArray[Any],
        references: Sequence[Reference],
        label: str,
        corrections: Corrections | None,
        intensity_range: IntensityRange | None,
        threshold: float,
    ) -> Prediction:
        marked = marked_references(target, references, label, corrections)
        given = corrections or Corrections()
        picture = self.pictures.encode(to_rgb(target, intensity_range))
        with torch.inference_mode():
            model = object_model_of(self.pictures, marked, intensity_range)
            question = Question.of(picture, model, negative_clicks(given))
            clicked = self._clicked(question, given)
            found = self._look(question, clicked)
            accepted = [o for o in found if o.evidence >= self.settings.presence]
            certain = bool(clicked) or bool(accepted)
            presence = 1.0 if clicked else max((o.evidence for o in found), default=0.0)
            return self._report(
                [*clicked, *(accepted if certain else found)],
                picture.grid,
                presence=presence,
                present=certain,
                pseudo_mask=question.evidence.cpu().numpy(),
                label=label,
                intensity_range=intensity_range,
                threshold=threshold,
            )

    def _settings(self) -> dict[str, object]:
        return asdict(self.settings)

    def _clicked(self, question: Question, given: Corrections) -> list[FoundObject]:
        """Find the object that a person points at in the target."""
        prompts = prompts_of_corrections(given, question.picture)
        if not prompts:
            return []
        return [o for o in self._passes(question, prompts) if bool((o.logits > 0).any())]

    def _look(self, question: Question, known: Sequence[FoundObject]) -> list[FoundObject]:
        """Find objects until nothing looks like one; a best guess in any case."""
        found: list[FoundObject] = []
        free = question.evidence.cpu().numpy().copy()
        for taken in known:
            free[self._cells_under(question, taken.logits)] = 0
        asked = 0
        while len(found) < self.settings.most_objects and asked < 2 * self.settings.most_objects:
            places = self._peaks(free)
            if not places:
                if found or known:
                    break
                places = [divmod(int(free.argmax()), free.shape[1])]
            asked += len(places)
            prompts = [
                SAMPrompt.at([question.picture.grid.cell_xy(*p)], question.beside) for p in places
            ]
            for place, answer in zip(places, self._passes(question, prompts), strict=True):
                free[self._near(place, free.shape)] = 0
                if self._is_new(answer, [*known, *found]):
                    found.append(answer)
                    if answer.evidence >= self.settings.presence:
                        free[self._cells_under(question, answer.logits)] = 0
            if max((o.evidence for o in found), default=0.0) < self.settings.presence:
                break
        return sorted(found, key=lambda o: -o.evidence)

    @staticmethod
    def _is_new(answer: FoundObject, others: Sequence[FoundObject]) -> bool:
        """Refuse an empty mask, and one that is there already."""
        mask = answer.logits > 0
        if not mask.any() or not others:
            return bool(mask.any())
        masks = torch.stack([o.logits > 0 for o in others])
        return not bool((overlaps(mask[None], masks) > SAME_OBJECT).any())

    def _peaks(self, free: NDArray[np.float32]) -> list[tuple[int, int]]:
        """Return the best cells of the map that may be the object, some way apart."""
        left = free.copy()
        places: list[tuple[int, int]] = []
        for _ in range(self.settings.at_once):
            place = divmod(int(left.argmax()), left.shape[1])
            if left[place] < self.settings.presence:
                break
            places.append(place)
            left[self._near(place, left.shape)] = 0
        return places

    def _near(self, place: tuple[int, int], hw: tuple[int, ...]) -> NDArray[np.bool_]:
        rows, cols = np.ogrid[: hw[0], : hw[1]]
        near: NDArray[np.bool_] = np.hypot(rows - place[0], cols - place[1]) <= self.settings.apart
        return near

    def _passes(self, question: Question, prompts: Sequence[SAMPrompt]) -> list[FoundObject]:
        """Ask for objects three times, each time with what is known by then."""
        logits = self._first(question, prompts)
        refined = []
        for prompt, own in zip(prompts, logits, strict=True):
            within = torch.from_numpy(self._cells_under(question, own)).to(logits.device)
            more = question.best_points(within)
            points = np.array([*prompt.points_xy, *more], np.float32).reshape(-1, 2)
            positive = np.concatenate([prompt.positive, np.ones(len(more), np.bool_)])
            box = prompt.box_xyxy
            if self.boxes_at_once and box is None:
                box = self._box(question, own)
            refined.append(SAMPrompt(points, positive, box, own))
        second = self._chosen(question, self.pictures.ask(question.picture, refined))
        boxed = [
            # A person's own box is better than that of an answer.
            replace(p, box_xyxy=None).refined(o.logits, self._box(question, o.logits))
            if prompt.box_xyxy is None
            else p.refined(o.logits, None)
            for prompt, p, o in zip(prompts, refined, second, strict=True)
        ]
        return self._chosen(question, self.pictures.ask(question.picture, boxed))

    def _first(self, question: Question, prompts: Sequence[SAMPrompt]) -> Tensor:
        """Ask by points under guidance, (N, 4h, 4w)."""
        return self.pictures.ask(question.picture, prompts, question.guidance).logits[:, 0]

    def _chosen(self, question: Question, answers: SAMAnswers) -> list[FoundObject]:
        """Take of each answer's scales the one that SAM and the evidence like best."""
        chosen = []
        for logits, scores in zip(
            answers.logits[:, SCALES], answers.scores[:, SCALES], strict=True
        ):
            visible = question.picture.grid.of_picture(logits)
            evidence = evidence_under(visible, question.evidence)
            best = int((scores.clamp(0, 1) * evidence + 1e-3 * scores.clamp(0, 1)).argmax())
            chosen.append(
                FoundObject(logits[best], float(scores[best].clamp(0, 1)), float(evidence[best]))
            )
        return chosen

    def _cells_under(self, question: Question, logits: Tensor) -> NDArray[np.bool_]:
        """Return the cells that a mask covers by a quarter or more, shape (rows, columns)."""
        visible = question.picture.grid.of_picture((logits > 0).float()[None])
        hw = (question.evidence.shape[0], question.evidence.shape[1])
        shares = F.adaptive_avg_pool2d(visible, hw)[0]
        covered: NDArray[np.bool_] = (shares >= 0.25).cpu().numpy()
        return covered

    @staticmethod
    def _box(question: Question, logits: Tensor) -> NDArray[np.float32] | None:
        """Return the box of a mask in pixels of the picture."""
        grid = question.picture.grid
        box = box_of(grid.of_picture(logits[None])[0] > 0)
        if box is None:
            return None
        step = grid.side / logits.shape[-1]
        found = np.array(box) * step / np.tile(grid.scale_xy, 2)
        limit = np.tile(np.array(grid.original_hw[::-1], float), 2)
        return np.minimum(found, limit).astype(np.float32)

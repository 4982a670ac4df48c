"""Pictures that answer prompts through a SAM's decoder, the prompts adjusted by a learner or not.

Two things can answer: a SAM by itself, and a whole model with a shared backbone. There a prompt on
a picture is also a reference on it, and as its decoder leans on the prior made of that, and hardly
listens to prompts, a learner draws a map that is added to the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrpsam_app.annotations import Annotation, Box, Point
from vrpsam_app.errors import ConfigError
from vrpsam_app.geometry import resize_mask_area
from vrpsam_app.methods.mark_prompts import MASK_PROMPT_FINER, answering_masks
from vrpsam_app.methods.sam_pictures import (
    EmbeddedPrompts,
    SAMAnswers,
    SAMPicture,
    SAMPictures,
    SAMPrompt,
)
from vrpsam_app.model_input import InputGeometry
from vrpsam_app.models.embedded_records import ImageEmbedding
from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.models.embeddings import PromptTensors, TensorRecord
from vrpsam_app.models.prompt_learner import PromptLearner
from vrpsam_app.models.resize import resize_bilinear
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.references import Reference


class PromptedPicture(Protocol):
    """A picture, encoded once, that may be asked as often as one likes."""

    @property
    def original_hw(self) -> tuple[int, int]:
        """Size of the picture."""
        ...

    def prepare(self, prompts: Sequence[SAMPrompt]) -> TensorRecord:
        """Do what comes before the learner, for prompts that are alike in kind."""
        ...

    def decode(self, prepared: TensorRecord, learner: PromptLearner | None = None) -> SAMAnswers:
        """Answer what was prepared; gradients reach the learner."""
        ...

    def seen(self, logits: Tensor) -> Tensor:
        """Crop answers (..., h, w) to what shows the picture."""
        ...

    def on_grid(self, mask: NDArray[np.bool_]) -> Tensor:
        """Bring a mask of the picture to the grid of what :meth:`seen` returns, shares, (h, w)."""
        ...

    def resized(self, logits: Tensor) -> Tensor:
        """Bring answers (B, M, h, w) to the picture's size."""
        ...


class PromptedModel(Protocol):
    """Whatever opens pictures that answer prompts."""

    @property
    def prompt_dim(self) -> int:
        """Channels of its prompts."""
        ...

    @property
    def needs_map(self) -> bool:
        """Whether a learner must draw a map to change its answers."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        ...

    @property
    def frozen_count(self) -> int:
        """How many numbers it consists of, none of which learn."""
        ...

    def open(self, rgb: NDArray[np.uint8]) -> PromptedPicture:
        """Encode a picture (H, W, 3), or find its embedding."""
        ...

    def describe(self) -> dict[str, object]:
        """Return name and weights."""
        ...


class SAMPromptedPicture:
    """A picture that a SAM answers about.

    Parameters
    ----------
    pictures : SAMPictures
    picture : SAMPicture
    """

    def __init__(self, pictures: SAMPictures, picture: SAMPicture) -> None:
        self._pictures, self._picture = pictures, picture

    @property
    def original_hw(self) -> tuple[int, int]:
        """Size of the picture."""
        return self._picture.grid.original_hw

    def prepare(self, prompts: Sequence[SAMPrompt]) -> EmbeddedPrompts:
        """Embed prompts."""
        with torch.no_grad():
            return self._pictures.embed_prompts(self._picture, prompts)

    def decode(self, prepared: TensorRecord, learner: PromptLearner | None = None) -> SAMAnswers:
        """Answer with four masks, of which the first is the one that a learner makes right."""
        return self._pictures.decode(
            self._picture, cast(EmbeddedPrompts, prepared), learner=learner
        )

    def seen(self, logits: Tensor) -> Tensor:
        """Leave out where the square is padded."""
        return self._picture.grid.of_picture(logits)

    def on_grid(self, mask: NDArray[np.bool_]) -> Tensor:
        """Average a mask over the cells of the decoder's output."""
        return self._picture.grid.coverage(mask, MASK_PROMPT_FINER)

    def resized(self, logits: Tensor) -> Tensor:
        """Enlarge as segment-anything does."""
        return self._picture.grid.resized(logits)


class PromptedSAM:
    """A SAM.

    Parameters
    ----------
    pictures : SAMPictures
    """

    def __init__(self, pictures: SAMPictures) -> None:
        self.pictures = pictures

    @property
    def prompt_dim(self) -> int:
        """Channels of the SAM's prompts."""
        return self.pictures.config.prompt_dim

    @property
    def needs_map(self) -> bool:
        """No: SAM's decoder listens to prompts."""
        return False

    @property
    def device(self) -> torch.device:
        """That of the SAM."""
        return self.pictures.device

    @property
    def frozen_count(self) -> int:
        """All of the SAM."""
        return sum(p.numel() for p in self.pictures.sam.parameters())

    def open(self, rgb: NDArray[np.uint8]) -> SAMPromptedPicture:
        """Encode a picture, or find its embedding."""
        return SAMPromptedPicture(self.pictures, self.pictures.encode(rgb))

    def describe(self) -> dict[str, object]:
        """Return the SAM's name and weights."""
        return {"model": f"sam-{self.pictures.config.name}", "sha256": self.pictures.sha256}


@dataclass(frozen=True, eq=False)
class AnsweredPrompts(TensorRecord):
    """N prompts of one kind, and what a whole model answers to them by itself.

    Attributes
    ----------
    sparse : shape (N, T, C)
    logits : shape (N, 1, h, w)
    score : shape (N,)
    """

    sparse: Tensor
    logits: Tensor
    score: Tensor


class ModelPromptedPicture:
    """A picture that a whole model answers about: a prompt is a reference on it as well.

    Parameters
    ----------
    model : EmbeddedVRPSAM
    embedding : ImageEmbedding
        Of the picture, on the model's device, in fp32.
    rgb : shape (H, W, 3)
    """

    def __init__(
        self, model: EmbeddedVRPSAM, embedding: ImageEmbedding, rgb: NDArray[np.uint8]
    ) -> None:
        self._model, self._embedding, self._rgb = model, embedding, rgb
        self._geometry = InputGeometry.of((rgb.shape[0], rgb.shape[1]), model.config)
        self._output_hw = model.output_hw(self._geometry.input_hw)

    @property
    def original_hw(self) -> tuple[int, int]:
        """Size of the picture."""
        return self._geometry.original_hw

    def prepare(self, prompts: Sequence[SAMPrompt]) -> AnsweredPrompts:
        """Ask the model for what is like the marks, and embed the prompts themselves."""
        device = self._embedding.embedding.device
        shown = [self._reference(p) for p in prompts]
        marks = torch.cat([self._geometry.marks(r) for r in shown]).to(device)
        each = self._embedding.take(torch.zeros(len(prompts), dtype=torch.long, device=device))
        given = self._tensors(prompts).to(device)
        with torch.no_grad():
            is_box = torch.tensor([r.kind == "box" for r in shown], device=device)
            encoding = self._model.encode_reference(each, marks, is_box)
            output = self._model.decode(each, [encoding], given)
            sparse, _ = self._model.sam.prompt(
                given.points_xy, given.point_labels, given.boxes_xyxy, grid_hw=self._grid_hw
            )
        return AnsweredPrompts(sparse, output.mask_logits, output.score)

    def decode(self, prepared: TensorRecord, learner: PromptLearner | None = None) -> SAMAnswers:
        """Answer with one mask each."""
        asked = cast(AnsweredPrompts, prepared)
        if learner is None:
            return SAMAnswers(asked.logits, asked.score[:, None])
        embedding = self._embedding.embedding
        places = self._model.sam.image_pe(self._grid_hw)
        adjusted = learner(asked.sparse, embedding, places)
        drawn, better = learner.draw(adjusted, embedding, places)
        drawn = resize_bilinear(drawn, self._output_hw, align_corners=False)
        score = (asked.score.logit(1e-4) + better).sigmoid()
        return SAMAnswers(asked.logits + drawn, score[:, None])

    @property
    def _grid_hw(self) -> tuple[int, int]:
        return self._embedding.embedding.shape[-2], self._embedding.embedding.shape[-1]

    def seen(self, logits: Tensor) -> Tensor:
        """Return them: nothing is padded."""
        return logits

    def on_grid(self, mask: NDArray[np.bool_]) -> Tensor:
        """Average a mask over the cells of the decoder's output."""
        return torch.from_numpy(resize_mask_area(mask, self._output_hw))

    def resized(self, logits: Tensor) -> Tensor:
        """Enlarge to the picture."""
        return resize_bilinear(logits, self.original_hw, align_corners=False)

    def _reference(self, prompt: SAMPrompt) -> Reference:
        marks: list[Annotation] = [
            Point(float(y), float(x), bool(positive))
            for (x, y), positive in zip(prompt.points_xy, prompt.positive, strict=True)
        ]
        if prompt.box_xyxy is not None:
            left, top, right, bottom = map(float, prompt.box_xyxy)
            marks.append(Box(top, left, bottom, right))
        return Reference.from_annotations(self._rgb, marks)

    def _tensors(self, prompts: Sequence[SAMPrompt]) -> PromptTensors:
        points = boxes = labels = earlier = None
        if len(prompts[0].points_xy):
            points = torch.cat([self._geometry.points(p.points_xy) for p in prompts])
            labels = torch.from_numpy(np.stack([p.positive for p in prompts]).astype(np.int64))
        if prompts[0].box_xyxy is not None:
            corners = np.stack([np.asarray(p.box_xyxy) for p in prompts]).reshape(-1, 2)
            boxes = self._geometry.points(corners.astype(np.float32)).reshape(-1, 4)
        if prompts[0].mask_logits is not None:
            earlier = torch.stack([p.mask_logits for p in prompts if p.mask_logits is not None])
        return PromptTensors(
            points, labels, boxes, None if earlier is None else earlier[:, None].float()
        )


class PromptedVRPSAM:
    """A whole model with a shared backbone, such as the embedded one.

    Parameters
    ----------
    predictor : VRPSAMPredictor

    Raises
    ------
    ConfigError
        If the model is of another kind; then its SAM answers by itself.
    """

    def __init__(self, predictor: VRPSAMPredictor) -> None:
        model = predictor.model
        if not isinstance(model, EmbeddedVRPSAM):
            raise ConfigError(
                f"The model {predictor.config.name!r} is a {type(model).__name__}: expected one "
                "with a shared backbone. Its SAM answers prompts by itself: use that."
            )
        self._model, self.predictor = model, predictor

    @property
    def prompt_dim(self) -> int:
        """Channels of the model's prompts."""
        return self._model.config.sam.prompt_dim

    @property
    def needs_map(self) -> bool:
        """Yes: its decoder leans on its prior."""
        return True

    @property
    def device(self) -> torch.device:
        """That of the model."""
        return torch.device(self.predictor.device)

    @property
    def frozen_count(self) -> int:
        """All of the model."""
        return sum(p.numel() for p in self._model.parameters())

    def open(self, rgb: NDArray[np.uint8]) -> ModelPromptedPicture:
        """Encode a picture, or find its embedding."""
        embedding = self.predictor.embed(rgb).to(self.device, torch.float32)
        if not isinstance(embedding, ImageEmbedding):
            raise TypeError(f"{type(embedding).__name__} is no embedding of this model.")
        return ModelPromptedPicture(self._model, embedding, rgb)

    def describe(self) -> dict[str, object]:
        """Return the model's name and weights."""
        said = self.predictor.describe()
        return {"model": said["model"], "sha256": said["sha256"]}


def answered(
    picture: PromptedPicture, prompts: Sequence[SAMPrompt], learner: PromptLearner | None
) -> tuple[Tensor, Tensor]:
    """Answer prompts one by one with the mask that is meant.

    Parameters
    ----------
    picture : PromptedPicture
    prompts : one or more, of any kinds
    learner : adjusts them; without one the mask is the one that SAM itself would give, the best by
        its own score where one click may mean several

    Returns
    -------
    logits : shape (N, h, w)
        On the decoder's grid.
    scores : shape (N,), in [0, 1]
        Predicted intersection over union.
    """
    with torch.inference_mode():
        each = [
            meant_answer(picture.decode(picture.prepare([prompt]), learner), prompt, learner)
            for prompt in prompts
        ]
    return torch.stack([logits for logits, _ in each]), torch.stack([score for _, score in each])


def meant_answer(
    answers: SAMAnswers, prompt: SAMPrompt, learner: PromptLearner | None
) -> tuple[Tensor, Tensor]:
    """Choose among the masks that answer one prompt, as :func:`answered` does.

    Returns
    -------
    logits : shape (h, w)
    score : shape ()
    """
    meant = answering_masks(prompt)
    if learner is not None or answers.scores.shape[1] == 1:
        meant = slice(0, 1)
    best = meant.start + int(answers.scores[0, meant].argmax())
    return answers.logits[0, best], answers.scores[0, best].clamp(0, 1)


def joined(records: Sequence[TensorRecord]) -> TensorRecord:
    """Join what was prepared for prompts of one kind on one picture."""
    first = records[0]
    return type(first)(
        **{f.name: torch.cat([getattr(r, f.name) for r in records]) for f in fields(first)}
    )

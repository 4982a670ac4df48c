"""A SAM that is asked about pictures: each is encoded once and found again by content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vrpsam_app.config import SAMConfig
from vrpsam_app.devices import choose_device
from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.environment import code_version, machine_name
from vrpsam_app.images import plane_key
from vrpsam_app.methods.sam_grid import SAMGrid
from vrpsam_app.models.embeddings import TensorRecord
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.guided_decoder import Guidance, decode_guided
from vrpsam_app.models.load_sam import load_sam
from vrpsam_app.models.prompt_learner import PromptLearner

SAMPrecision = Literal["fp16", "fp32"]
_DTYPES = {"fp16": torch.float16, "fp32": torch.float32}

PROMPTS_AT_ONCE = {"cpu": 16}
"""Prompts decoded together; a graphics card takes more than a processor's cache."""
MOST_AT_ONCE = 64

# What a picture passes through until it is an embedding.
_ENCODING_CODE = (
    "config.py",
    "geometry.py",
    "images.py",
    "methods/sam_grid.py",
    "methods/sam_pictures.py",
    "models",
)


@dataclass(frozen=True, eq=False)
class SAMEmbedding(TensorRecord):
    """SAM's embedding of one picture.

    Attributes
    ----------
    embedding : shape (1, C, h, w)
    """

    embedding: Tensor


@dataclass(frozen=True, eq=False)
class SAMPicture:
    """A picture as SAM knows it: a value that may be kept and asked as often as one likes.

    Attributes
    ----------
    grid : SAMGrid
    embedding : shape (1, C, h, w), float32
        On the device, over the whole square.
    key : hash of the pixels
    """

    grid: SAMGrid
    embedding: Tensor
    key: str

    @property
    def cells(self) -> Tensor:
        """Embedding of the cells that hold anything of the picture, (1, C, rows, columns)."""
        rows, cols = self.grid.cells_hw
        return self.embedding[..., :rows, :cols]


def _no_points() -> NDArray[np.float32]:
    return np.zeros((0, 2), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SAMPrompt:
    """One question about one object of a picture.

    Attributes
    ----------
    points_xy : shape (P, 2), float32
        Continuous (x, y) in pixels of the picture: pixel i covers [i, i + 1).
    positive : shape (P,), bool
        Whether each point is on the object.
    box_xyxy : shape (4,), float32, or None
    mask_logits : shape (4h, 4w), float, or None
        An earlier answer, on the decoder's output grid over the whole square.
    """

    points_xy: NDArray[np.float32] = field(default_factory=_no_points)
    positive: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    box_xyxy: NDArray[np.float32] | None = None
    mask_logits: Tensor | None = None

    @classmethod
    def at(
        cls,
        positive: Sequence[NDArray[np.float32]],
        negative: Sequence[NDArray[np.float32]] = (),
        *,
        box_xyxy: NDArray[np.float32] | None = None,
    ) -> SAMPrompt:
        """Ask by points on the object and beside it, each (x, y)."""
        points = np.array([*positive, *negative], np.float32).reshape(-1, 2)
        return cls(points, np.arange(len(points)) < len(positive), box_xyxy)

    def refined(self, mask_logits: Tensor, box_xyxy: NDArray[np.float32] | None) -> SAMPrompt:
        """Return the same question with an earlier answer, and a box if there is one."""
        box = self.box_xyxy if box_xyxy is None else box_xyxy
        return replace(self, mask_logits=mask_logits, box_xyxy=box)


@dataclass(frozen=True, slots=True, eq=False)
class SAMAnswers:
    """What SAM says to N prompts, in their order.

    Attributes
    ----------
    logits : shape (N, 4, 4h, 4w), float32
        Mask 0 answers clear prompts; 1, 2 and 3 are the scales an unclear one may mean.
    scores : shape (N, 4), float32
        Predicted intersection over union.
    """

    logits: Tensor
    scores: Tensor


@dataclass(frozen=True, eq=False)
class EmbeddedPrompts(TensorRecord):
    """N prompts of one kind in the space of SAM's decoder.

    Attributes
    ----------
    sparse : shape (N, T, C)
        Of points and boxes.
    dense : shape (N, C, h, w)
        Of an earlier mask, or what stands for none.
    """

    sparse: Tensor
    dense: Tensor


class SAMPictures:
    """Pictures in, answers to prompts out.

    Parameters
    ----------
    sam : FrozenSAM
        With segment-anything's own image encoder.
    device : torch.device
    sha256 : str
        Of the weights; without one nothing is kept on disk.
    store : EmbeddingStore, optional
        Where embeddings are found again.
    precision : {"fp16", "fp32"}
        In which embeddings are kept and always read.
    """

    def __init__(
        self,
        sam: FrozenSAM,
        *,
        device: torch.device,
        sha256: str = "",
        store: EmbeddingStore | None = None,
        precision: SAMPrecision = "fp16",
    ) -> None:
        self.sam = sam.to(device).eval()
        self.device = device
        self.sha256 = sha256
        self.store = EmbeddingStore() if store is None else store
        self.precision = precision
        where = f"{device.type} {machine_name()}"
        if device.type == "cuda":
            where = f"cuda {torch.cuda.get_device_name(device)}"
        self.origin = (
            f"sam={self.config.name}-{sha256}/code={code_version(_ENCODING_CODE)}"
            f"/torch={torch.__version__}/device={where}/precision={precision}"
        )

    @classmethod
    def from_file(
        cls, path: str | Path, *, device: str = "auto", store: EmbeddingStore | None = None
    ) -> SAMPictures:
        """Load a SAM; see :func:`~vrpsam_app.models.load_sam.load_sam` for paths and errors."""
        chosen = choose_device(device)
        sam, sha256 = load_sam(path)
        return cls(sam, device=chosen, sha256=sha256, store=store)

    def at_precision(self, precision: SAMPrecision) -> SAMPictures:
        """Return the same SAM with embeddings at another precision."""
        return SAMPictures(
            self.sam,
            device=self.device,
            sha256=self.sha256,
            store=self.store,
            precision=precision,
        )

    @property
    def config(self) -> SAMConfig:
        """Sizes of the SAM."""
        return self.sam.config

    def encode(self, rgb: NDArray[np.uint8]) -> SAMPicture:
        """Encode a picture (H, W, 3), or find its embedding."""
        key = plane_key(rgb)
        grid = SAMGrid.of((rgb.shape[0], rgb.shape[1]), self.config)

        def compute() -> SAMEmbedding:
            with torch.inference_mode():
                embedding = self.sam.encode(grid.image(rgb).to(self.device))
            return SAMEmbedding(embedding).to("cpu", _DTYPES[self.precision])

        record = SAMEmbedding if self.sha256 else None
        found = self.store.get_or_compute(f"{self.origin}/image={key}", compute, record=record)
        return SAMPicture(grid, found.to(self.device, torch.float32).embedding, key)

    def ask(
        self,
        picture: SAMPicture,
        prompts: Sequence[SAMPrompt],
        guidance: Guidance | None = None,
        learner: PromptLearner | None = None,
    ) -> SAMAnswers:
        """Answer prompts, as many at once as have the same number of points.

        No prompt is padded to the length of another one, which SAM would notice: an answer does not
        depend on what else is asked.

        Parameters
        ----------
        picture : SAMPicture
        prompts : one or more
        guidance : the same for all, optional
        learner : adjusts the prompts before they are decoded, optional
        """
        alike = defaultdict(list)
        for number, prompt in enumerate(prompts):
            kind = len(prompt.points_xy), prompt.box_xyxy is None, prompt.mask_logits is None
            alike[kind].append(number)
        at_once = PROMPTS_AT_ONCE.get(self.device.type, MOST_AT_ONCE)
        order, logits, scores = [], [], []
        with torch.inference_mode():
            for numbers in alike.values():
                for start in range(0, len(numbers), at_once):
                    batch = numbers[start : start + at_once]
                    order += batch
                    embedded = self.embed_prompts(picture, [prompts[n] for n in batch])
                    answer = self.decode(picture, embedded, guidance, learner)
                    logits.append(answer.logits)
                    scores.append(answer.scores)
            back = torch.tensor(np.argsort(order), device=self.device)
            return SAMAnswers(torch.cat(logits)[back], torch.cat(scores)[back])

    def embed_prompts(self, picture: SAMPicture, prompts: Sequence[SAMPrompt]) -> EmbeddedPrompts:
        """Bring prompts that are alike in kind into the space of SAM's decoder."""
        first, scale = prompts[0], picture.grid.scale_xy
        points = labels = boxes = masks = None
        if len(first.points_xy):
            points = self._tensor(np.stack([p.points_xy * scale for p in prompts]))
            labels = self._tensor(np.stack([p.positive for p in prompts]))
        if first.box_xyxy is not None:
            corners = [np.asarray(p.box_xyxy) * np.tile(scale, 2) for p in prompts]
            boxes = self._tensor(np.stack(corners))
        if first.mask_logits is not None:
            given = [p.mask_logits for p in prompts if p.mask_logits is not None]
            masks = torch.stack([m.to(self.device, torch.float32) for m in given])[:, None]
        return EmbeddedPrompts(
            *self.sam.prompt(points, labels, boxes, masks, batch_size=len(prompts))
        )

    def decode(
        self,
        picture: SAMPicture,
        prompts: EmbeddedPrompts,
        guidance: Guidance | None = None,
        learner: PromptLearner | None = None,
    ) -> SAMAnswers:
        """Answer embedded prompts; gradients reach the learner, whose adjusted ones are decoded."""
        sparse = prompts.sparse
        if learner is not None:
            sparse = learner(sparse, picture.embedding, self.sam.image_pe())
        decoded = decode_guided(self.sam, picture.embedding, sparse, prompts.dense, guidance)
        return SAMAnswers(decoded.mask_logits, decoded.scores)

    def _tensor(self, array: NDArray) -> Tensor:
        return torch.from_numpy(array.astype(np.float32)).to(self.device)

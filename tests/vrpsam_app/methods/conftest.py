"""A scene of two kinds of blocks on noise, and models small enough to be asked often."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.annotations import Box, Point
from vrpsam_app.config import EMBEDDED_CONFIG, SAM_TINY, paper_config
from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.methods import MethodSources
from vrpsam_app.methods.sam_pictures import SAMAnswers, SAMPicture, SAMPictures, SAMPrompt
from vrpsam_app.models.build import build_model
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.guided_decoder import Guidance
from vrpsam_app.models.prompt_learner import PromptLearner
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.references import Reference

SceneMaker = Callable[..., tuple[NDArray[np.uint8], NDArray[np.bool_]]]


@pytest.fixture(scope="session")
def scene() -> SceneMaker:
    """Draw a picture (H, W, 3) of light blocks and a dark one, and the mask of the light."""

    def draw(seed: int = 0, h: int = 60, w: int = 80):
        picture = np.random.default_rng(seed).integers(90, 120, (h, w, 3)).astype(np.uint8)
        light = np.zeros((h, w), bool)
        shift = seed % 3
        for top, left in ((8, 6), (30 + shift, 20), (12, 50 - shift)):
            light[top : top + 14, left : left + 16] = True
        picture[light] += 110
        picture[44:56, 56:72] -= 80
        return picture, light

    return draw


@pytest.fixture(params=[None, Point(15, 14), Box(8, 6, 22, 22)], ids=["all", "point", "box"])
def marked_light(scene: SceneMaker, request: pytest.FixtureRequest) -> Reference:
    """Return a reference on which all light blocks are marked, or one of them."""
    picture, light = scene()
    if request.param is None:
        return Reference.from_mask(picture, light, exhaustive=True)
    return Reference.from_annotations(picture, [request.param])


@pytest.fixture(scope="session")
def store() -> EmbeddingStore:
    """Give the store of `small_predictor`, which tests may empty."""
    return EmbeddingStore()


@pytest.fixture(scope="session")
def small_predictor(store: EmbeddingStore) -> VRPSAMPredictor:
    """Build the embedded model for pictures of 64 pixels, with seeded random weights."""
    sam = dataclasses.replace(EMBEDDED_CONFIG.sam, image_size=64)
    # Random weights judge presence at random: let everything be present.
    config = dataclasses.replace(EMBEDDED_CONFIG, sam=sam, presence_threshold=0.0)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = build_model(config).eval()
    return VRPSAMPredictor(model, device=torch.device("cpu"), store=store)


@pytest.fixture(scope="session")
def paper_predictor(fill_by_key: Callable[..., None], store: EmbeddingStore) -> VRPSAMPredictor:
    """Build a small model on a SAM that answers prompts; its store is that of `small_predictor`."""
    config = paper_config("small_resnet", SAM_TINY)
    encoder = dataclasses.replace(config.vrp_encoder, image_size=64, hidden_dim=32, num_queries=4)
    model = build_model(dataclasses.replace(config, vrp_encoder=encoder, presence_threshold=0.0))
    fill_by_key(model)
    return VRPSAMPredictor(model.eval(), device=torch.device("cpu"), store=store)


@pytest.fixture
def outlined(scene: SceneMaker) -> Reference:
    """Outline all light blocks of the first scene."""
    picture, light = scene()
    return Reference.from_mask(picture, light, exhaustive=True, label="light")


@pytest.fixture(scope="session")
def small_sam(fill_by_key: Callable[..., None]) -> FrozenSAM:
    """Build a SAM of 128 pixels with weights that mean nothing."""
    sam = FrozenSAM(SAM_TINY)
    fill_by_key(sam)
    return sam


@pytest.fixture(scope="session")
def small_pictures(small_sam: FrozenSAM, store: EmbeddingStore) -> SAMPictures:
    """Ask it about pictures; its store is that of `small_predictor`, which tests may empty."""
    return SAMPictures(small_sam, device=torch.device("cpu"), store=store)


@pytest.fixture
def sources(small_predictor: VRPSAMPredictor, small_pictures: SAMPictures) -> MethodSources:
    """Give methods the small model and the small SAM."""
    return MethodSources(lambda: small_predictor, lambda: small_pictures)


class RegionSAM(SAMPictures):
    """Stands for a SAM that knows its trade: it answers with the connected region of one colour.

    Its embedding is the colour of each cell. Asked by a point it gives the region around it (mask 2
    and the clear mask 0), the left half of that (mask 1) and the region with its surroundings
    (mask 3); asked by a box, the region that fills most of it.
    """

    def __init__(self, sam: FrozenSAM) -> None:
        super().__init__(sam, device=torch.device("cpu"))
        self.rgb: dict[str, NDArray[np.uint8]] = {}
        self.asked: list[SAMPrompt] = []

    @property
    def config(self):
        return dataclasses.replace(SAM_TINY, image_size=512)

    def encode(self, rgb: NDArray[np.uint8]) -> SAMPicture:
        picture = super().encode(rgb)
        self.rgb[picture.key] = rgb
        return picture

    def ask(
        self,
        picture: SAMPicture,
        prompts: Sequence[SAMPrompt],
        guidance: Guidance | None = None,
        learner: PromptLearner | None = None,
    ) -> SAMAnswers:
        self.asked += prompts
        colours = self.rgb[picture.key].astype(int) // 64 @ np.array([16, 4, 1])
        answers = [self._answer(picture, colours, prompt) for prompt in prompts]
        scores = torch.tensor([0.9, 0.6, 0.9, 0.5]).expand(len(prompts), -1)
        return SAMAnswers(torch.stack(answers), scores)

    def _answer(self, picture: SAMPicture, colours: NDArray, prompt: SAMPrompt):
        on_it = prompt.points_xy[prompt.positive]
        if prompt.box_xyxy is not None and not len(on_it):
            left, top, right, bottom = prompt.box_xyxy.astype(int)
            values, counts = np.unique(colours[top:bottom, left:right], return_counts=True)
            inside = np.argwhere(colours[top:bottom, left:right] == values[counts.argmax()])
            on_it = inside[:1, ::-1] + [left, top]
        if not len(on_it):
            whole = np.ones(colours.shape, bool)
        else:
            col, row = on_it[0].astype(int)
            numbered, _ = ndimage.label(colours == colours[row, col])
            whole = numbered == numbered[row, col]
        middle = np.flatnonzero(whole.any(0)).mean()
        part = whole & (np.arange(whole.shape[1]) < middle)
        more = ndimage.binary_dilation(whole, iterations=6)
        side = 4 * picture.embedding.shape[-1]
        masks = [whole, part, whole, more]
        return torch.stack([picture.grid.square_logits(16.0 * m - 8, side) for m in masks])


class _ColourEncoder(torch.nn.Module):
    """Cells of 16 pixels become their mean colour and a constant, so that none is all zero."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        cells = torch.nn.functional.avg_pool2d(images, 16)
        cells = torch.cat([cells, torch.ones_like(cells[:, :1])], 1)
        return torch.nn.functional.pad(cells, (0, 0, 0, 0, 0, SAM_TINY.prompt_dim - 4))


@pytest.fixture
def region_sam() -> RegionSAM:
    """Give a SAM that answers with regions of one colour."""
    config = dataclasses.replace(SAM_TINY, image_encoder="conv")
    return RegionSAM(FrozenSAM(config, image_encoder=_ColourEncoder()))

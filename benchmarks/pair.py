"""A pair and a stack with VRP-SAM as published, beside this project on the same modules.

Run ``python benchmarks/pair.py`` (four minutes on two cores). The published procedure, written
plainly: for each pair it encodes the reference and the target with the backbone, compares the
target with every place of the reference, and encodes the target with segment-anything's own
encoder. Weights are random: ResNet-50 and ViT-B. One is the time of the bare encoder and decoder
of this project.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from measuring import Report, finish, parser, side_by_side, start

MOST_TARGET, MOST_REFERENCE, MOST_NEW_REFERENCE = 1.35, 0.1, 0.3
SLICES = 4


def main() -> int:
    """Measure and report."""
    asked = parser(__doc__)
    asked.add_argument("--sam", default="vit_b", help="size of SAM (default: vit_b)")
    asked.add_argument("--slices", type=int, default=SLICES, help="of the stack (default: 4)")
    options = asked.parse_args()
    start(options)
    report = Report(
        "pair",
        "A pair and a stack, beside the published procedure",
        "ResNet-50 and SAM's ViT-B with random weights, fp32, 512 x 512 pixels enlarged to 1024. "
        "*One* is the bare encoder of this project and its decoder.",
        judged=not options.small,
    )
    questions(report, options)
    stack(report, options)
    return finish(report, options)


def questions(report: Report, options: argparse.Namespace) -> None:
    """Measure what a target, a reference and a picture that becomes one cost."""
    import torch

    predictor = loaded(options, side=1024)
    images = Pictures()
    shown = images.reference()
    cached = images.next()
    predictor.predict(cached, shown)
    inputs = [squashed(images.next(), predictor) for _ in range(2)]
    tokens = torch.zeros(1, 50, predictor.config.sam.prompt_dim, device=predictor.device)

    def bare() -> None:
        with torch.inference_mode():
            sam = predictor.sam
            embedding = sam.encode(enlarged(inputs[0], predictor))
            sam.decode_masks(embedding, tokens)

    found = side_by_side(
        {
            "bare encoder and decoder": bare,
            "a further target, cached reference": lambda: predictor.predict(images.next(), shown),
            "a cached target, cached reference": lambda: predictor.predict(cached, shown),
            "a cached target, new reference": lambda: predictor.predict(cached, images.reference()),
            "published procedure, a pair": lambda: published(predictor, *inputs),
        },
        options.repeats,
        device=options.device,
    )
    one = found["bare encoder and decoder"]
    for name, times in found.items():
        report.time(name, times)
    limits = (MOST_TARGET, MOST_REFERENCE, MOST_NEW_REFERENCE)
    for (name, times), limit in zip(list(found.items())[1:4], limits, strict=True):
        report.ratio(f"{name}, beside one", times, one, limit)
    whole = found["a cached target, new reference"].plus(
        found["a further target, cached reference"]
    )
    report.ratio(
        "pair, how many times faster than published", found["published procedure, a pair"], whole
    )


def stack(report: Report, options: argparse.Namespace) -> None:
    """Measure one reference on several slices, by default at half the side."""
    predictor = loaded(options, side=1024 if options.full else 512)
    images = Pictures()
    side = predictor.config.sam.image_size

    def ours() -> None:
        shown = images.reference()
        for _ in range(options.slices):
            predictor.predict(images.next(), shown)

    def as_published() -> None:
        shown = squashed(images.next(), predictor)
        for _ in range(options.slices):
            published(predictor, shown, squashed(images.next(), predictor))

    name = f"{options.slices} slices, SAM at {side} pixels"
    calls: dict[str, Callable[[], object]] = {"published": as_published, "ours": ours}
    found = side_by_side(calls, options.repeats, device=options.device, warm=0)
    report.time(f"{name}: published procedure", found["published"])
    report.time(f"{name}: ours", found["ours"])
    report.ratio(f"{name}: how many times faster", found["published"], found["ours"])


def loaded(options: argparse.Namespace, *, side: int) -> Any:
    """Build the published model with random weights."""
    import dataclasses

    import torch

    from vrpsam_app import VRPSAMPredictor
    from vrpsam_app.config import SAM_CONFIGS, SAM_TINY, paper_config
    from vrpsam_app.models.build import build_model

    torch.manual_seed(0)
    sam = (
        SAM_TINY
        if options.small
        else dataclasses.replace(SAM_CONFIGS[options.sam], image_size=side)
    )
    config = paper_config("resnet50", sam)
    if options.small:
        encoder = dataclasses.replace(config.vrp_encoder, image_size=64, hidden_dim=sam.prompt_dim)
        config = dataclasses.replace(config, vrp_encoder=encoder)
    model = build_model(config).eval().requires_grad_(False)
    return VRPSAMPredictor(model, device=torch.device(options.device))


def published(predictor: Any, reference: Any, target: Any) -> Any:
    """Segment one pair as the published code does: nothing is kept, nothing left out."""
    import torch

    model = predictor.model
    encoder, sam = model.vrp_encoder, model.sam
    with torch.no_grad():
        mask = torch.zeros_like(reference[:, :1])
        side = mask.shape[-1]
        mask[..., side // 4 : side // 2, side // 4 : side // 2] = 1
        shown, seen = encoder.encode_images(reference), encoder.encode_images(target)
        cells = torch.nn.functional.interpolate(mask, shown.middle.shape[-2:])
        marked = encoder.semantic_encoder.high_features(shown.state, cells) * cells
        high = encoder.semantic_encoder.high_features(seen.state)
        rows, places = marked.flatten(2)[0].T, high.flatten(2)[0]  # (hw, C) and (C, hw)
        norms = rows.norm(dim=1)[:, None] * places.norm(dim=0)[None] + 1e-7
        pseudo = ((rows @ places) / norms).amax(0).reshape(1, 1, *high.shape[-2:])
        augmenter, generator = encoder.feature_augmenter, encoder.prompt_generator
        reduced = augmenter.reduce(shown.middle)
        prototype = (reduced * cells).sum((2, 3)) / (cells.sum((2, 3)) + 5e-4)
        tokens = generator.reference_half(augmenter(reduced, prototype, cells))
        reduced = augmenter.reduce(seen.middle)
        tokens = generator.target_half(tokens, augmenter(reduced, prototype, pseudo))
        embedding = sam.image_encoder(enlarged(target, predictor))
        logits = sam.decode_masks(embedding, tokens).mask_logits[:, :1]
        return torch.nn.functional.interpolate(
            logits, mask.shape[-2:], mode="bilinear", align_corners=True
        )


def squashed(picture: Any, predictor: Any) -> Any:
    """Return a picture as the model takes it."""
    from vrpsam_app.model_input import InputGeometry
    from vrpsam_app.models.paper_vrp_sam import DEVIATION, MEAN

    geometry = InputGeometry.of(picture.shape[:2], predictor.config)
    image = geometry.image(picture).to(predictor.device)
    mean, deviation = (image.new_tensor(v)[:, None, None] for v in (MEAN, DEVIATION))
    return (image - mean) / deviation


def enlarged(image: Any, predictor: Any) -> Any:
    """Return a picture at SAM's size."""
    from vrpsam_app.models.resize import resize_bilinear

    side = predictor.config.sam.image_size
    return resize_bilinear(image, (side, side), align_corners=True)


_SEEDS = itertools.count()


class Pictures:
    """Pictures that nobody has seen before."""

    def __init__(self, side: int = 512) -> None:
        self._side, self._random = side, np.random.default_rng(next(_SEEDS))

    def next(self) -> Any:
        """Return another picture."""
        return self._random.integers(0, 256, (self._side, self._side, 3), dtype=np.uint8)

    def reference(self) -> Any:
        """Mark an object on another picture."""
        from vrpsam_app import Box, Reference

        return Reference.from_annotations(self.next(), [Box(100, 100, 220, 240)])


if __name__ == "__main__":
    raise SystemExit(main())

"""The embedded model beside VRP-SAM on the SAMs that it stands on elsewhere.

Run ``python benchmarks/models.py`` (two minutes on two cores); ``--full`` adds ViT-L and ViT-H.
Times do not depend on weights: those of the large models are random.
"""

from __future__ import annotations

import argparse
from typing import Any

from measuring import Report, finish, parser, side_by_side, start
from pair import Pictures

SIZES, FULL_SIZES = ("mobile_sam", "vit_b"), ("mobile_sam", "vit_b", "vit_l", "vit_h")


def main() -> int:
    """Measure and report."""
    options = parser(__doc__).parse_args()
    start(options)
    report = Report(
        "models",
        "The embedded model beside larger ones",
        "A new target of 512 x 512 pixels after a cached reference, everything included, in the "
        "precision that `auto` takes here.",
        judged=not options.small,
    )
    images = Pictures()
    shown = images.reference()
    sizes = ("vit_tiny",) if options.small else FULL_SIZES if options.full else SIZES
    predictors = {"embedded": embedded(options)} | {size: with_sam(size, options) for size in sizes}
    for predictor in predictors.values():
        predictor.predict(images.next(), shown)

    def ask(predictor: Any) -> Any:
        return lambda: predictor.predict(images.next(), shown)

    calls = {
        f"{name}, {predictor.describe()['precision']}": ask(predictor)
        for name, predictor in predictors.items()
    }
    found = side_by_side(calls, options.repeats, device=options.device)
    first = next(iter(found.values()))
    for name, times in found.items():
        report.time(name, times)
    for name, times in list(found.items())[1:]:
        report.ratio(f"{name}, beside the embedded model", times, first)
    return finish(report, options)


def embedded(options: argparse.Namespace) -> Any:
    """Load the embedded model."""
    from vrpsam_app import VRPSAMPredictor

    return VRPSAMPredictor.from_pretrained(device=options.device)


def with_sam(size: str, options: argparse.Namespace) -> Any:
    """Build VRP-SAM on ResNet-50 and a SAM of a size."""
    import torch

    from vrpsam_app import VRPSAMPredictor
    from vrpsam_app.config import SAM_CONFIGS, paper_config
    from vrpsam_app.models.build import build_model
    from vrpsam_app.precision import choose_precision

    torch.manual_seed(0)
    device = torch.device(options.device)
    sam = SAM_CONFIGS[size]
    config = paper_config("resnet50", sam)
    if sam.prompt_dim != config.vrp_encoder.hidden_dim:
        from dataclasses import replace

        config = replace(config, vrp_encoder=replace(config.vrp_encoder, hidden_dim=sam.prompt_dim))
    model = build_model(config).eval().requires_grad_(False)
    precision = choose_precision("auto", device, sam)
    return VRPSAMPredictor(model, device=device, precision=precision)


if __name__ == "__main__":
    raise SystemExit(main())

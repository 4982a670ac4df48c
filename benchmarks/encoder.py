"""SAM's image encoder as this project runs it, beside segment-anything's own forward.

Run ``python benchmarks/encoder.py`` (two minutes on two cores); ``--full`` adds ViT-L and ViT-H,
``--device cuda`` batches of 8 and compiled encoders. Every parameter is random, none is zero.
Memory is that of a process of its own, weights and libraries included.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from measuring import Report, finish, in_process, parser, peak_mb, side_by_side, start, timed

SIZES, FULL_SIZES = ("vit_b",), ("vit_b", "vit_l", "vit_h")
LEAST_GAIN, LEAST_GAIN_BF16, MOST_MEMORY, MOST_APART = 1.25, 2.0, 0.4, 1e-4
LEAST_GAIN_CARD = 4.0  # on ViT-H


def main() -> int:
    """Measure and report."""
    asked = parser(__doc__)
    asked.add_argument("--sam", nargs="+", choices=FULL_SIZES, help="sizes (default: vit_b)")
    options = asked.parse_args()
    start(options)
    if options.part:
        print(json.dumps(peak(options.part, options)))
        return 0
    report = Report(
        "encoder",
        "SAM's image encoder beside segment-anything's own",
        "Random weights, 1024 x 1024 pixels. The same modules, called in another way; in bf16 "
        "matrices are multiplied in 16 bits, which needs a processor or card that does so itself.",
        judged=not options.small,
    )
    standard = ("vit_tiny",) if options.small else FULL_SIZES if options.full else SIZES
    for size in options.sam or standard:
        measure(size, report, options)
    return finish(report, options)


def measure(size: str, report: Report, options: argparse.Namespace) -> None:
    """Compare one size."""
    import torch

    from vrpsam_app.precision import has_bf16

    sam, images = encoder(size, options.device)
    card = options.device.startswith("cuda")
    for batch in (1, 8) if card else (1,):
        given = images.expand(batch, -1, -1, -1).contiguous()
        calls = ways(sam, given, bf16=has_bf16(torch.device(options.device)))
        if card:
            compiled, seconds = compile_encoder(sam, given)
            calls["ours, bf16, compiled"] = compiled
            report.value(f"{size}, batch {batch}: compiling it takes", seconds, "s")
        found = side_by_side(calls, options.repeats, device=options.device)
        name = f"{size}, batch {batch}" if card else size
        theirs = found["segment-anything, fp32"]
        for way, times in found.items():
            report.time(f"{name}: {way}, each picture", times.times(1 / batch))
        report.ratio(
            f"{name}: fp32, how many times faster", theirs, found["ours, fp32"],
            at_least=None if card else LEAST_GAIN,
        )  # fmt: skip
        if "ours, bf16" in found:
            best = "ours, bf16, compiled" if card else "ours, bf16"
            wanted = LEAST_GAIN_CARD if size == "vit_h" else None
            report.ratio(
                f"{name}: bf16, how many times faster than fp32 of the package", theirs,
                found[best], at_least=wanted if card else LEAST_GAIN_BF16,
            )  # fmt: skip
    with torch.inference_mode():
        expected, ours = sam.image_encoder(images), sam.encode(images)
    apart = float((ours - expected).abs().max() / expected.abs().max())
    report.value(
        f"{size}: largest difference, relative, in 1e-6", apart * 1e6, "", MOST_APART * 1e6
    )
    del sam
    if not card:
        most = {way: in_process(__file__, f"{size}:{way}", options)["mb"] for way in PEAKS}
        for way, used in most.items():
            report.value(f"{size}: peak memory, {way}", used, "MB")
        share = most["ours, fp32"] / most["segment-anything, fp32"]
        report.value(f"{size}: peak memory, share of the package's", share, "x", MOST_MEMORY)


def encoder(size: str, device: str) -> tuple[Any, Any]:
    """Build a SAM with random parameters, and a picture for it."""
    import torch
    from torch import nn

    from vrpsam_app.config import SAM_CONFIGS
    from vrpsam_app.models.frozen_sam import FrozenSAM

    torch.manual_seed(0)
    sam = FrozenSAM(SAM_CONFIGS[size])
    for parameter in sam.image_encoder.parameters():
        nn.init.normal_(parameter, std=0.02) if parameter.dim() > 1 else nn.init.normal_(
            parameter, mean=0.5, std=0.1
        )
    images = torch.randn(1, 3, sam.config.image_size, sam.config.image_size)
    return sam.to(device), images.to(device)


def ways(sam: Any, images: Any, *, bf16: bool) -> dict[str, Callable[[], Any]]:
    """Return the calls that are compared."""
    import torch

    from vrpsam_app.precision import computing_in

    def call(encode: Callable[[Any], Any], precision: Any) -> Any:
        with torch.inference_mode(), computing_in(precision, images.device):
            return encode(images)

    found = {
        "segment-anything, fp32": partial(call, sam.image_encoder, "fp32"),
        "ours, fp32": partial(call, sam.encode, "fp32"),
    }
    if bf16:
        found["segment-anything, bf16"] = partial(call, sam.image_encoder, "bf16")
        found["ours, bf16"] = partial(call, sam.encode, "bf16")
    return found


PEAKS = ("segment-anything, fp32", "ours, fp32", "ours, bf16")


def peak(part: str, options: argparse.Namespace) -> dict[str, float]:
    """Encode once and look at the memory."""
    size, _, way = part.partition(":")
    sam, images = encoder(size, options.device)
    ways(sam, images, bf16=True)[way]()
    return {"mb": peak_mb()}


def compile_encoder(sam: Any, images: Any) -> tuple[Callable[[], Any], float]:
    """Compile the encoder for images of a size; return the call and the seconds of its warm-up."""
    import torch

    compiled = torch.compile(sam.encode)

    def call() -> Any:
        with torch.inference_mode(), torch.autocast(images.device.type, torch.bfloat16):
            return compiled(images)

    return call, timed(call)


if __name__ == "__main__":
    raise SystemExit(main())

"""PerSAM-F's two weights: the decoder asked once, beside the decoder asked in every step.

Run ``python benchmarks/persam_f.py`` (two minutes on two cores), or with ``--sam sam_vit_b`` for
weights that are there. The literal loop is that of the published code: each step decodes the
reference again, mixes the three masks at the picture's size and lets torch differentiate. Both
begin with an encoded picture. Without ``--sam`` the decoder has random weights and the size that it
has in every SAM.
"""

from __future__ import annotations

import numpy as np
import torch
from measuring import Report, finish, parser, side_by_side, start
from torch import nn

from vrpsam_app.config import SAMConfig
from vrpsam_app.methods.persam_f_paper import PaperPerSAMF
from vrpsam_app.methods.persam_paper import SCALES, by_index
from vrpsam_app.methods.sam_pictures import SAMPicture, SAMPictures
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.scale_weights import EPSILON, FOCAL_ALPHA, LEARNING_RATE
from vrpsam_app.references import Reference

LEAST_GAIN, MOST_DIFFERENCE = 10.0, 1e-3
STEPS, FULL_STEPS, SMALL_STEPS = 100, 1000, 2


def main() -> int:
    """Measure and report."""
    asked = parser(__doc__)
    asked.add_argument("--sam", help="file or name of SAM's weights (default: random)")
    asked.add_argument("--side", type=int, default=256, help="of the square reference picture")
    asked.add_argument("--steps", type=int, help="of the fit (default: 100; 1000, as published)")
    options = asked.parse_args()
    start(options)
    standard = SMALL_STEPS if options.small else FULL_STEPS if options.full else STEPS
    steps = options.steps or standard
    report = Report(
        "persam_f",
        "PerSAM-F's fit beside the published loop",
        f"{steps} steps on an encoded picture, in the published code 1000.",
        judged=not options.small,
    )
    pictures = (
        SAMPictures.from_file(options.sam, device=options.device)
        if options.sam
        else random_pictures(torch.device(options.device))
    )
    method = PaperPerSAMF(pictures, steps=steps)
    reference = disc(options.side)
    picture = method.pictures.encode(reference.image)
    weights = {}

    def once() -> None:
        fitted = method.fit([reference]).scales
        weights["once"] = torch.full((3,), float("nan")) if fitted is None else fitted.weights

    def every_step() -> None:
        weights["every step"] = literal_loop(method, picture, reference, steps)

    calls = {"decoder asked in every step": every_step, "decoder asked once": once}
    found = side_by_side(calls, options.repeats, device=options.device, warm=0)
    for name, times in found.items():
        report.time(name, times)
    report.ratio("how many times faster", *found.values(), at_least=LEAST_GAIN)
    apart = float((weights["once"] - weights["every step"]).abs().max())
    report.value(
        "largest difference of the weights, in 1e-3", 1e3 * apart, "", 1e3 * MOST_DIFFERENCE
    )
    return finish(report, options)


def random_pictures(device: torch.device) -> SAMPictures:
    """Build a SAM with a small image encoder and the decoder of all SAMs."""
    torch.manual_seed(0)
    sam = FrozenSAM(SAMConfig(width=64, depth=2, heads=2, global_attention_blocks=(1,)))
    return SAMPictures(sam, device=device)


def disc(side: int) -> Reference:
    """Draw a bright disc on noise, and mark it."""
    image = np.random.default_rng(0).integers(60, 120, (side, side, 3)).astype(np.uint8)
    rows, cols = np.ogrid[:side, :side]
    mask = (rows - 0.45 * side) ** 2 + (cols - 0.4 * side) ** 2 < (0.2 * side) ** 2
    image[mask] += 100
    return Reference.from_mask(image, mask)


def literal_loop(
    method: PaperPerSAMF, picture: SAMPicture, reference: Reference, steps: int
) -> torch.Tensor:
    """Fit as the published code does, the decoder in the loop."""
    with torch.no_grad():
        points_xy = method.on_itself(picture, method.target_rows([reference])).points_xy
    prompt = by_index(points_xy, [True], picture)
    truth = torch.from_numpy(reference.positive.astype(np.float32)).flatten()
    learned = nn.Parameter(torch.full((2, 1), 1 / 3))
    optimizer = torch.optim.AdamW([learned], lr=LEARNING_RATE, eps=EPSILON)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        with torch.no_grad():
            logits = method.pictures.ask(picture, [prompt]).logits[:, SCALES]
            logits = picture.grid.resized(logits)[0].flatten(1).cpu().clone()
        weights = torch.cat([1 - learned.sum(0)[None], learned])
        mixed = (logits * weights).sum(0)
        p = mixed.sigmoid()
        dice = 1 - (2 * (p * truth).sum() + 1) / (p.sum() + truth.sum() + 1)
        entropy = nn.functional.binary_cross_entropy_with_logits(mixed, truth, reduction="none")
        right = p * truth + (1 - p) * (1 - truth)
        balance = FOCAL_ALPHA * truth + (1 - FOCAL_ALPHA) * (1 - truth)
        loss = dice + (balance * entropy * (1 - right) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return torch.cat([1 - learned.sum(0)[None], learned])[:, 0].detach()


if __name__ == "__main__":
    raise SystemExit(main())

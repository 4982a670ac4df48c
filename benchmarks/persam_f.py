"""PerSAM-F's two weights: the decoder asked once, beside the decoder asked in every step.

    python benchmarks/persam_f.py
    python benchmarks/persam_f.py --sam sam_vit_b --side 512

The literal loop is that of the published code: each step decodes the reference again, mixes the
three masks at the picture's size and lets torch differentiate. Both begin with an encoded picture.
Without --sam the decoder has random weights and the size that it has in every SAM.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from torch import nn

from vrpsam_app.config import SAMConfig
from vrpsam_app.methods.persam_f_paper import PaperPerSAMF
from vrpsam_app.methods.persam_paper import SCALES, by_index
from vrpsam_app.methods.sam_pictures import SAMPicture, SAMPictures
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.models.scale_weights import EPSILON, FOCAL_ALPHA, LEARNING_RATE
from vrpsam_app.references import Reference

LEAST_GAIN, MOST_DIFFERENCE = 10.0, 1e-3


def main() -> None:
    """Print both times, the gain, and how far the weights are apart."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sam", help="file or name of SAM's weights (default: random)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--side", type=int, default=256, help="of the square reference picture")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--threads", type=int, help="threads of the computation on a CPU")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    pictures = (
        SAMPictures.from_file(options.sam, device=options.device)
        if options.sam
        else random_pictures(torch.device(options.device))
    )
    method = PaperPerSAMF(pictures, steps=options.steps)
    reference = disc(options.side)
    picture = method.pictures.encode(reference.image)
    begun = time.perf_counter()
    fitted = method.fit([reference]).scales
    once = time.perf_counter() - begun
    begun = time.perf_counter()
    literal = literal_loop(method, picture, reference, options.steps)
    every = time.perf_counter() - begun
    apart = float((fitted.weights - literal).abs().max()) if fitted else float("nan")
    print(f"decoder asked once        {once:8.2f} s   weights {fitted.weights.tolist()}")
    print(f"decoder asked {options.steps:4} times  {every:8.2f} s   weights {literal.tolist()}")
    print(f"{every / once:.1f} times faster (wanted {LEAST_GAIN:g}), weights {apart:.1e} apart")
    print("OK" if every / once >= LEAST_GAIN and apart <= MOST_DIFFERENCE else "TOO SLOW OR OFF")


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
    main()

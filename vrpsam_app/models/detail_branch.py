"""Early features and the prior, added to SAM's mask decoder while it upscales.

SAM's decoder sees the image only through the stride-8 embedding, which blurs objects of ten
pixels. As in HQ-SAM (Ke et al., NeurIPS 2023) early features join during upscaling; here they first
meet the evidence of the reference, so that edges are kept where the object is.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vrpsam_app.models.conv_image_encoder import FINE, ResidualBlock, zero

EVIDENCE = 2
"""Maps of evidence: closed-form score, cosine to the reference."""


class DetailBranch(nn.Module):
    """Make what is added after the first and the second transposed convolution.

    Parameters
    ----------
    mid_channels : int
        Channels of the stride-4 detail map.
    prompt_dim : int
        Width C of the mask decoder; the two outputs have C / 4 and C / 8 channels.
    """

    def __init__(self, mid_channels: int, prompt_dim: int) -> None:
        super().__init__()
        hidden = 48
        self.mid_in = nn.Conv2d(mid_channels + EVIDENCE, hidden, 3, padding=1)
        self.mid_blocks = nn.Sequential(
            ResidualBlock(hidden), ResidualBlock(hidden), nn.GroupNorm(8, hidden), nn.SiLU()
        )
        self.mid_out = nn.Conv2d(hidden, prompt_dim // 4, 1)
        self.evidence_out = nn.Conv2d(hidden, 1, 1)
        zero(self.evidence_out)
        self.fine_in = nn.Conv2d(FINE + EVIDENCE + 1, 24, 3, padding=1)
        self.fine_out = nn.Conv2d(24, prompt_dim // 8, 3, padding=1)

    def forward(
        self, mid_detail: Tensor, fine_detail: Tensor, evidence: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Combine details and evidence.

        Parameters
        ----------
        mid_detail : shape (B, mid_channels, h, w)
            Features at stride 4.
        fine_detail : shape (B, FINE, 2h, 2w)
            Features at stride 2.
        evidence : shape (B, EVIDENCE, h, w)
            Closed-form score and cosine at stride 4.

        Returns
        -------
        mid, fine : shape (B, C / 4, h, w) and (B, C / 8, 2h, 2w)
            Added in the mask decoder's upscaling.
        local_logits : shape (B, 1, h, w)
            What this branch alone thinks; the prior corrected by local texture.
        """
        x = self.mid_in(torch.cat([mid_detail, evidence], 1))
        x = self.mid_blocks(x)
        local = self.evidence_out(x)
        fine_evidence = F.interpolate(
            torch.cat([evidence, local], 1), scale_factor=2.0, mode="bilinear"
        )
        fine = F.silu(self.fine_in(torch.cat([fine_detail, fine_evidence], 1)))
        return self.mid_out(x), self.fine_out(fine), local

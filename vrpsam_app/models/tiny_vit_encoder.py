"""MobileSAM's image encoder: timm's TinyViT, its last stage kept at stride 16, and SAM's neck.

=================  ==========================  ======
step               (B, C, h, w)                stride
=================  ==========================  ======
``patch_embed``    64                          4
``stages``         64, 128, 160, 320           4 to 16
``neck``           ``prompt_dim``              16
=================  ==========================  ======

Zhang et al., Faster Segment Anything, arXiv:2306.14289; TinyViT: Wu et al., ECCV 2022,
arXiv:2207.10666.
"""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn

from vrpsam_app.config import SAMConfig
from vrpsam_app.models.torchvision_ops import import_torchvision

_LAST_WIDTH = 320


class TinyViTEncoder(nn.Module):
    """Images (B, 3, S, S) to embeddings (B, ``prompt_dim``, S / 16, S / 16).

    Parameters
    ----------
    config : SAMConfig
        Of which the channels of the embedding are taken; the rest is MobileSAM's.
    """

    def __init__(self, config: SAMConfig) -> None:
        super().__init__()
        import_torchvision()
        import timm
        from segment_anything.modeling.common import LayerNorm2d

        net: Any = timm.create_model("tiny_vit_5m_224", pretrained=False, num_classes=0)
        # MobileSAM does not halve the grid before the last stage.
        net.stages[-1].downsample.conv2.conv.stride = (1, 1)
        self.patch_embed = cast(nn.Module, net.patch_embed)
        self.stages = cast(nn.Module, net.stages)
        channels = config.prompt_dim
        self.neck = nn.Sequential(
            nn.Conv2d(_LAST_WIDTH, channels, 1, bias=False),
            LayerNorm2d(channels),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            LayerNorm2d(channels),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Encode images, normalised by SAM's pixel mean and deviation."""
        embeddings: Tensor = self.neck(self.stages(self.patch_embed(images)))
        return embeddings

"""Semantic encoders: frozen backbones that give middle and high features of an image.

=================  ==========================  ==============================  ======
name               middle features             high features                   stride
=================  ==========================  ==============================  ======
``resnet50_v2``    1536: layers 2 and 3        2048: layer 4                   8
``resnet101_v2``   1536: layers 2 and 3        2048: layer 4                   8
``resnet50``       1536: layers 2 and 3        2048: layer 4                   8
``vgg16_bn``       768: layers 2 and 3         512: layer 4                    16
``dinov2_b14``     1536: blocks 6 and 9        768: block 12                   14
``small_resnet``   160: layers 2 and 3         128: layer 4                    8
``small_vgg``      160: layers 2 and 3         128: layer 4                    8
``shared``         the maps that are given     the same                        any
=================  ==========================  ==============================  ======

Middle features make prototype and prompts, high features the pseudo-mask. The two deep-stem
ResNets and the VGG are those of the published code; which layers of DINOv2 the paper took is not
known, the choice above is ours. Modules are built with random weights: nothing is downloaded.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, get_args

import torch
from torch import Tensor, nn

from vrpsam_app.config import SemanticEncoderName, VRPEncoderConfig
from vrpsam_app.errors import ConfigError
from vrpsam_app.models.deep_stem_resnet import BLOCKS, build_deep_stem_stages
from vrpsam_app.models.frozen_module import FrozenModule
from vrpsam_app.models.resize import resize_bilinear
from vrpsam_app.models.small_backbones import CHANNELS, build_small_stages
from vrpsam_app.models.torchvision_ops import import_torchvision

# First and one past the last entry of the VGG's layers in each stage; its last pooling is unused.
VGG16_BN_STAGES = ((0, 7), (7, 14), (14, 24), (24, 34), (34, 43))
DINOV2_PATCH = 14
_DINOV2_MIDDLE_BLOCKS = (5, 8)


class SemanticEncoder(FrozenModule, ABC):
    """Images to features, in two steps because the published network masks between them.

    Attributes
    ----------
    middle_channels, high_channels : int
    """

    middle_channels: int
    high_channels: int

    @abstractmethod
    def middle_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the middle features.

        Parameters
        ----------
        images : shape (B, 3, H, W), float
            Normalised by ImageNet's mean and standard deviation.

        Returns
        -------
        middle : shape (B, middle_channels, h, w)
        state : shape (B, C, h, w)
            What :meth:`high_features` goes on from.
        """

    @abstractmethod
    def high_features(self, state: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute the high features.

        Parameters
        ----------
        state : shape (B, C, h, w), float
        mask : shape (B, 1, h, w), float in [0, 1], optional
            Everything outside is hidden: a convolutional network sees zeros there before its last
            layer, and its output is masked again.

        Returns
        -------
        high : shape (B, high_channels, h, w)
        """


class StagedEncoder(SemanticEncoder):
    """A convolutional network in five stages, ``layer0`` to ``layer4``.

    Parameters
    ----------
    stages : five nn.Module
    middle_channels, high_channels : int
        Of stages 2 and 3 together, and of stage 4.
    """

    def __init__(
        self, stages: tuple[nn.Sequential, ...], middle_channels: int, high_channels: int
    ) -> None:
        super().__init__()
        self.layer0, self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.middle_channels = middle_channels
        self.high_channels = high_channels
        self.freeze()

    def middle_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Join the maps of stages 2 and 3 on the grid of stage 3, which is the state."""
        second = self.layer2(self.layer1(self.layer0(images)))
        third: Tensor = self.layer3(second)
        grid = (third.shape[2], third.shape[3])
        second = resize_bilinear(second, grid, align_corners=True)
        return torch.cat((second, third), dim=1), third

    def high_features(self, state: Tensor, mask: Tensor | None = None) -> Tensor:
        """Run stage 4, on the masked maps of stage 3 where a mask is given."""
        if mask is None:
            high: Tensor = self.layer4(state)
            return high
        high = self.layer4(state * mask)
        return high * resize_bilinear(mask, (high.shape[2], high.shape[3]), align_corners=True)


class DINOv2Encoder(SemanticEncoder):
    """DINOv2 ViT-B/14; images are resized to the nearest multiple of 14 pixels.

    Attention mixes all positions, so hiding the background before the last blocks would change
    what the object's own tokens mean: a mask only selects from the finished high features.
    """

    middle_channels = 2 * 768
    high_channels = 768

    def __init__(self) -> None:
        super().__init__()
        import_torchvision()
        import timm

        self.vit: Any = timm.create_model(
            "vit_base_patch14_dinov2", pretrained=False, num_classes=0, dynamic_img_size=True
        )
        self.freeze()

    def middle_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Join the normalised patch tokens of blocks 6 and 9; those of block 12 are the state."""
        size = tuple(max(1, round(n / DINOV2_PATCH)) * DINOV2_PATCH for n in images.shape[-2:])
        images = resize_bilinear(images, (size[0], size[1]), align_corners=False)
        last = len(self.vit.blocks) - 1
        lower, upper, high = self.vit.forward_intermediates(
            images, indices=[*_DINOV2_MIDDLE_BLOCKS, last], norm=True, intermediates_only=True
        )
        return torch.cat((lower, upper), dim=1), high

    def high_features(self, state: Tensor, mask: Tensor | None = None) -> Tensor:
        """Select the finished high features under the mask."""
        return state if mask is None else state * mask


class SharedFeatures(SemanticEncoder):
    """No backbone: features computed elsewhere, by SAM's own image encoder, stand for both.

    Parameters
    ----------
    channels : int
        Channels of the maps that are handed in.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.middle_channels = channels
        self.high_channels = channels

    def middle_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the maps (B, channels, h, w) given in place of images, twice."""
        return images, images

    def high_features(self, state: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the maps, masked if a mask is given."""
        return state if mask is None else state * mask


def build_semantic_encoder(
    config: VRPEncoderConfig, *, shared_channels: int | None = None
) -> SemanticEncoder:
    """Build the frozen backbone that a configuration names, with random weights.

    Parameters
    ----------
    config : VRPEncoderConfig
    shared_channels : int, optional
        Channels of the features handed in; needed for ``"shared"`` only.

    Returns
    -------
    encoder : SemanticEncoder

    Raises
    ------
    ConfigError
        If the name is unknown, or ``"shared"`` comes without channels.
    """
    name = config.semantic_encoder
    if name == "shared":
        if shared_channels is None:
            raise ConfigError(
                'The semantic encoder "shared" takes features from elsewhere: pass their number '
                "of channels as shared_channels."
            )
        return SharedFeatures(shared_channels)
    if name in BLOCKS:
        return StagedEncoder(build_deep_stem_stages(BLOCKS[name]), 512 + 1024, 2048)
    if name == "resnet50":
        return StagedEncoder(_timm_resnet50_stages(), 512 + 1024, 2048)
    if name == "vgg16_bn":
        return StagedEncoder(_timm_vgg16_bn_stages(), 256 + 512, 512)
    if name == "dinov2_b14":
        return DINOv2Encoder()
    if name == "small_resnet" or name == "small_vgg":
        return StagedEncoder(build_small_stages(name), CHANNELS[2] + CHANNELS[3], CHANNELS[4])
    raise ConfigError(
        f"There is no semantic encoder {name!r}: choose one of "
        f"{', '.join(get_args(SemanticEncoderName))}."
    )


def _timm_resnet50_stages() -> tuple[nn.Sequential, ...]:
    """Build the usual ResNet-50, dilated to stride 8 as the published ones are."""
    import_torchvision()
    import timm

    net: Any = timm.create_model("resnet50", pretrained=False, num_classes=0, output_stride=8)
    stem = nn.Sequential(net.conv1, net.bn1, net.act1, net.maxpool)
    return stem, net.layer1, net.layer2, net.layer3, net.layer4


def _timm_vgg16_bn_stages() -> tuple[nn.Sequential, ...]:
    """Cut VGG-16 with batch norm as the published code does; poolings round sizes up."""
    import_torchvision()
    import timm

    # The classifier's 120 million weights are not wanted: make its hidden layer one unit wide.
    net: Any = timm.create_model("vgg16_bn", pretrained=False, num_classes=0, mlp_ratio=1 / 4096)
    for layer in net.features:
        if isinstance(layer, nn.MaxPool2d):
            layer.ceil_mode = True
    return tuple(nn.Sequential(*net.features[a:b]) for a, b in VGG16_BN_STAGES)

"""The sets of weights the product knows by name.

Revisions, checksums and sizes were each read in two places that do not know of one another, such as
the Hub's own page and somebody's record of what they downloaded. What was read in one place only,
or nowhere, is None: it is then checked against what the Hub says of it, and reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from hub_weights.errors import WeightsNotFoundError

Kind = Literal["model", "sam", "backbone"]
"""A complete VRP-SAM; a SAM; a backbone for VRP-SAM's semantic features."""

Layout = Literal["vrp_sam", "segment_anything", "transformers", "timm", "semseg"]
"""How the tensors in a file are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """One file that holds a set of weights.

    Attributes
    ----------
    file : path inside the repository, or the name it has elsewhere
    layout : how its tensors are named
    repo_id : None for a file that people bring themselves
    revision : commit; None was not confirmed, the main branch is taken
    sha256 : hexadecimal; None was not confirmed
    size : bytes; None was not confirmed
    """

    file: str
    layout: Layout
    repo_id: str | None = None
    revision: str | None = None
    sha256: str | None = None
    size: int | None = None

    @property
    def is_pinned(self) -> bool:
        """Whether commit and bytes are both known beforehand."""
        return self.revision is not None and self.sha256 is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsEntry:
    """One set of weights: what it is for, under which terms, and in which files it is found.

    Attributes
    ----------
    name : under which every surface knows it
    kind : what it can be used as
    purpose : in a few words
    license : SPDX identifier, or what the Hub says
    citation : whom to cite
    megabytes : of the file that is downloaded, rounded; None where it lies on this computer
    files : the same weights each; the one to download first
    """

    name: str
    kind: Kind
    purpose: str
    license: str
    citation: str
    megabytes: int | None = None
    files: tuple[WeightsFile, ...] = ()

    @property
    def download(self) -> WeightsFile | None:
        """The file that is downloaded; None where there is no such."""
        return next((f for f in self.files if f.repo_id is not None), None)

    @property
    def needs_download(self) -> bool:
        """Whether it does not come with the product."""
        return self.name != "embedded"


_SAM = "Kirillov et al., Segment Anything, ICCV 2023, arXiv:2304.02643"
_RESNET = "He et al., Deep Residual Learning for Image Recognition, CVPR 2016, arXiv:1512.03385"
_DEEP_STEM = f"{_RESNET}; Zhao et al., semseg, github.com/hszhao/semseg"

_ENTRIES = (
    WeightsEntry(
        name="embedded",
        kind="model",
        purpose="small complete VRP-SAM, trained by this project, ships with it",
        license="apache-2.0",
        citation="vrpsam-app, CITATION.cff",
    ),
    WeightsEntry(
        name="sam_vit_b",
        kind="sam",
        purpose="SAM ViT-B, 94 million parameters",
        license="apache-2.0",
        citation=_SAM,
        megabytes=375,
        files=(
            WeightsFile(
                file="model.safetensors",
                layout="transformers",
                repo_id="facebook/sam-vit-base",
                revision="70c1a07f894ebb5b307fd9eaaee97b9dfc16068f",
                sha256="892c410e496344e527255ccdcb2cb7244a609acb5389c7c4fdba1288f861c579",
                size=374_979_480,
            ),
            WeightsFile(
                file="sam_vit_b_01ec64.pth",
                layout="segment_anything",
                sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
                size=375_042_383,
            ),
        ),
    ),
    WeightsEntry(
        name="sam_vit_l",
        kind="sam",
        purpose="SAM ViT-L, 312 million parameters",
        license="apache-2.0",
        citation=_SAM,
        megabytes=1250,
        files=(
            WeightsFile(
                file="model.safetensors",
                layout="transformers",
                repo_id="facebook/sam-vit-large",
                revision="6851e0441005b0fb96f2cc4dfac472f3d1b14af1",
            ),
            WeightsFile(
                file="sam_vit_l_0b3195.pth",
                layout="segment_anything",
                sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
                size=1_249_524_607,
            ),
        ),
    ),
    WeightsEntry(
        name="sam_vit_h",
        kind="sam",
        purpose="SAM ViT-H, 641 million parameters: the one of the VRP-SAM paper",
        license="apache-2.0",
        citation=_SAM,
        megabytes=2560,
        files=(
            WeightsFile(
                file="model.safetensors",
                layout="transformers",
                repo_id="facebook/sam-vit-huge",
                revision="87aecf0df4ce6b30cd7de76e87673c49644bdf67",
                sha256="edfb0462392541fca9af44ff039bfb32dbd0c939997f3abb77a26e23af7afd7c",
            ),
            WeightsFile(
                file="sam_vit_h_4b8939.pth",
                layout="segment_anything",
                sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
                size=2_564_550_879,
            ),
        ),
    ),
    WeightsEntry(
        name="mobile_sam",
        kind="sam",
        purpose="MobileSAM: SAM with a TinyViT encoder, 10 million parameters in all",
        # Of its code; the Hub's repository is tagged MIT.
        license="apache-2.0",
        citation="Zhang et al., Faster Segment Anything, arXiv:2306.14289",
        megabytes=41,
        files=(
            WeightsFile(
                file="mobile_sam.pt",
                layout="segment_anything",
                repo_id="dhkim2810/MobileSAM",
                sha256="6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
                size=40_728_226,
            ),
        ),
    ),
    WeightsEntry(
        name="medsam_vit_b",
        kind="sam",
        purpose="MedSAM: SAM ViT-B taught medical images, answers boxes",
        license="apache-2.0",
        citation="Ma et al., Segment Anything in Medical Images, Nature Communications 2024",
        megabytes=375,
        files=(
            WeightsFile(
                file="pytorch_model.bin",
                layout="transformers",
                repo_id="wanglab/medsam-vit-base",
            ),
            WeightsFile(file="medsam_vit_b.pth", layout="segment_anything"),
        ),
    ),
    WeightsEntry(
        name="resnet50",
        kind="backbone",
        purpose="ResNet-50 on ImageNet, of torchvision",
        license="bsd-3-clause",
        citation=_RESNET,
        megabytes=102,
        files=(
            WeightsFile(
                file="model.safetensors",
                layout="timm",
                repo_id="timm/resnet50.tv_in1k",
                revision="78f3ecfdb38e06d9b8397f662e7ab8fee96026fa",
                sha256="5d061a3c593d795bfe682d9b152bafbcf550579873492def3515b46db1189888",
                size=102_469_840,
            ),
        ),
    ),
    WeightsEntry(
        name="vgg16_bn",
        kind="backbone",
        purpose="VGG-16 with batch norm on ImageNet, of torchvision",
        license="bsd-3-clause",
        citation="Simonyan and Zisserman, Very Deep Convolutional Networks, arXiv:1409.1556",
        megabytes=553,
        files=(
            WeightsFile(file="model.safetensors", layout="timm", repo_id="timm/vgg16_bn.tv_in1k"),
        ),
    ),
    WeightsEntry(
        name="dinov2_b14",
        kind="backbone",
        purpose="DINOv2 ViT-B/14",
        license="apache-2.0",
        citation="Oquab et al., DINOv2, TMLR 2024, arXiv:2304.07193",
        megabytes=346,
        files=(
            WeightsFile(
                file="model.safetensors",
                layout="timm",
                repo_id="timm/vit_base_patch14_dinov2.lvd142m",
                revision="4685c99dabffe5affac90bd99dbffd25801ae58d",
                sha256="55cbb5d887b336d430e649c277b85a1429e724871f9d02ac16203235886d8c7b",
                size=346_334_872,
            ),
        ),
    ),
    WeightsEntry(
        name="resnet50_v2",
        kind="backbone",
        purpose="ResNet-50 with a deep stem: the one of the VRP-SAM paper",
        license="unknown",
        citation=_DEEP_STEM,
        files=(WeightsFile(file="resnet50_v2.pth", layout="semseg"),),
    ),
    WeightsEntry(
        name="resnet101_v2",
        kind="backbone",
        purpose="ResNet-101 with a deep stem",
        license="unknown",
        citation=_DEEP_STEM,
        files=(WeightsFile(file="resnet101_v2.pth", layout="semseg"),),
    ),
)

REGISTRY: Mapping[str, WeightsEntry] = MappingProxyType({e.name: e for e in _ENTRIES})


def entry_of(name: str) -> WeightsEntry:
    """Return the entry of a name.

    Raises
    ------
    WeightsNotFoundError
        If there is none; the message lists the names.
    """
    try:
        return REGISTRY[name]
    except KeyError:
        raise WeightsNotFoundError(
            f"There are no weights {name!r}. Known names: {', '.join(REGISTRY)}."
        ) from None


def entry_with(sha256: str) -> WeightsEntry | None:
    """Return the entry one of whose files has these bytes, or None."""
    return next((e for e in _ENTRIES if any(f.sha256 == sha256 for f in e.files)), None)

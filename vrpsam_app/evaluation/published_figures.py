"""Published accuracy of VRP-SAM and its peers, to stand beside ours where the data is the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PublishedFigure:
    """A printed mIoU.

    Attributes
    ----------
    miou : in percent, one reference
    note : what it was measured on, where that is not this very part of the data
    """

    miou: float
    note: str = ""


# Data set and format -> figure, ResNet-50 and SAM ViT-H. Folds: issue #28 of the published code and
# Sun et al., CVPR 2024; FSS-1000: SANSA's comparison; skin lesions and polyps: a study of how
# few-shot segmenters fail outside the domain they learned.
_OF_SET: Mapping[tuple[str, str], PublishedFigure] = {
    ("coco-20i val 0", "mask"): PublishedFigure(48.1),
    ("pascal-5i val 1", "mask"): PublishedFigure(78.3),
    ("fss-1000 test", "mask"): PublishedFigure(87.7),
    ("isic-2018", "mask"): PublishedFigure(3.7),
    ("kvasir-seg", "mask"): PublishedFigure(0.0),
}
# Benchmark and format -> mean of its four folds (Sun et al., CVPR 2024, tables 1 and 3).
_OF_FOLDS: Mapping[tuple[str, str], PublishedFigure] = {
    ("coco-20i val ", "mask"): PublishedFigure(53.9, "mean of folds"),
    ("coco-20i val ", "box"): PublishedFigure(49.7, "mean of folds"),
    ("coco-20i val ", "stroke"): PublishedFigure(47.3, "mean of folds"),
    ("coco-20i val ", "click"): PublishedFigure(38.4, "mean of folds"),
    ("pascal-5i val ", "mask"): PublishedFigure(71.9, "mean of folds"),
}


@dataclass(frozen=True, slots=True)
class PublishedPeer:
    """A printed mIoU of another system.

    Attributes
    ----------
    system : its name, and its SAM where there are several
    miou : in percent, one reference with a mask
    method : ours that follows the same idea, empty if there is none
    note : what it was measured on, where that is not this very part of the data
    """

    system: str
    miou: float
    method: str = ""
    note: str = ""


# All with a mask and one reference. PerSeg: the published code's own table. COCO, PASCAL, FSS and
# ISIC of PerSAM: GF-SAM's comparison. PerSAM-F and Matcher on ISIC and Kvasir: the study of how
# few-shot segmenters fail outside the domain they learned.
_PEERS: Mapping[str, tuple[PublishedPeer, ...]] = {
    "perseg": (
        PublishedPeer("PerSAM, SAM ViT-B", 64.0, "persam_paper"),
        PublishedPeer("PerSAM, SAM ViT-L", 86.6, "persam_paper"),
        PublishedPeer("PerSAM, SAM ViT-H", 89.3, "persam_paper"),
        PublishedPeer("PerSAM-F, SAM ViT-B", 87.2, "persam_f_paper"),
        PublishedPeer("PerSAM-F, SAM ViT-L", 92.2, "persam_f_paper"),
        PublishedPeer("PerSAM-F, SAM ViT-H", 95.3, "persam_f_paper"),
        PublishedPeer("SegGPT", 94.3),
        PublishedPeer("SEEM", 87.1),
        PublishedPeer("Painter", 56.4),
    ),
    "coco-20i val ": (
        PublishedPeer("PerSAM", 23.0, "persam_paper", "mean of folds"),
        PublishedPeer("PerSAM-F", 23.5, "persam_f_paper", "mean of folds"),
    ),
    "pascal-5i val ": (
        PublishedPeer("PerSAM", 43.1, "persam_paper", "mean of folds"),
        PublishedPeer("PerSAM-F", 48.5, "persam_f_paper", "mean of folds"),
    ),
    "fss-1000 test": (
        PublishedPeer("PerSAM", 71.2, "persam_paper"),
        PublishedPeer("PerSAM-F", 75.6, "persam_f_paper"),
    ),
    "isic-2018": (
        PublishedPeer("PerSAM", 23.9, "persam_paper"),
        PublishedPeer("PerSAM-F", 50.4, "persam_f_paper"),
        PublishedPeer("Matcher", 57.7, "matching"),
    ),
    "kvasir-seg": (
        PublishedPeer("PerSAM-F", 22.3, "persam_f_paper"),
        PublishedPeer("Matcher", 24.1, "matching"),
    ),
}


def published_peers(dataset: str, format: str, shots: int) -> tuple[PublishedPeer, ...]:
    """Return what is in print of other systems for a data set.

    Parameters
    ----------
    dataset : name, as its reader gives it
    format : of the marks
    shots : number of references

    Examples
    --------
    >>> [peer.miou for peer in published_peers("pascal-5i val 2", "mask", 1)]
    [43.1, 48.5]
    """
    if (format, shots) != ("mask", 1):
        return ()
    return _PEERS.get(dataset) or _PEERS.get(dataset.rstrip("0123456789"), ())


def published_figure(dataset: str, format: str, shots: int) -> PublishedFigure | None:
    """Return what is in print for a data set, None if nothing is.

    Parameters
    ----------
    dataset : name, as its reader gives it
    format : of the marks
    shots : number of references

    Examples
    --------
    >>> published_figure("coco-20i val 2", "click", 1)
    PublishedFigure(miou=38.4, note='mean of folds')
    """
    if shots != 1:
        return None
    if (dataset, format) in _OF_SET:
        return _OF_SET[dataset, format]
    return _OF_FOLDS.get((dataset.rstrip("0123456789"), format))

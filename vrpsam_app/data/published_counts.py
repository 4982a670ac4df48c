"""How many pictures the published benchmarks have, to tell a whole copy from a part of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

# Pictures in the lists of VRP-SAM's published code for the folds 0 to 3. PASCAL-5i: a picture
# counts for a fold if one of its classes covers 2048 pixels; training pictures come from a list of
# 5953. Of COCO-20i the code holds the test lists of folds 1 to 3 alone.
_PASCAL_VAL = (364, 445, 592, 336)
_PASCAL_TRAIN = {
    "excluded": (4208, 3726, 2752, 4510),
    "background": (4760, 4588, 4097, 5108),
}
_COCO_VAL = (None, 15305, 13138, 12640)
_LISTS = "lists of VRP-SAM's published code"

# Benchmark -> what is counted -> number, and where the number comes from.
PUBLISHED: Mapping[str, tuple[Mapping[str, int], str]] = {
    **{f"pascal-5i/val/{f}": ({"pictures": n}, _LISTS) for f, n in enumerate(_PASCAL_VAL)},
    **{
        f"pascal-5i/train/{fold}/{rule}": ({"pictures": number}, _LISTS)
        for rule, numbers in _PASCAL_TRAIN.items()
        for fold, number in enumerate(numbers)
    },
    **{f"coco-20i/val/{f}": ({"pictures": n}, _LISTS) for f, n in enumerate(_COCO_VAL) if n},
    "fss-1000/all": ({"pictures": 10_000, "classes": 1000}, "Li et al., CVPR 2020"),
    "fss-1000/train": ({"pictures": 5200, "classes": 520}, "Li et al., CVPR 2020"),
    "fss-1000/val": ({"pictures": 2400, "classes": 240}, "Li et al., CVPR 2020"),
    "fss-1000/test": ({"pictures": 2400, "classes": 240}, "Li et al., CVPR 2020"),
    "perseg": ({"classes": 40}, "Zhang et al., ICLR 2024"),
    "davis-2017/train": ({"sequences": 60}, "DAVIS challenge 2017"),
    "davis-2017/val": ({"sequences": 30}, "DAVIS challenge 2017"),
    "isic-2018": ({"pictures": 2594}, "ISIC 2018 challenge, task 1, training part"),
    "celebamask-hq/all": ({"pictures": 30_000}, "Lee et al., CVPR 2020"),
    "celebamask-hq/train": ({"pictures": 24_183}, "Lee et al., CVPR 2020"),
    "celebamask-hq/val": ({"pictures": 2993 + 2824}, "Lee et al., CVPR 2020"),
    "kvasir-seg": ({"pictures": 1000}, "Jha et al., MMM 2020"),
}


class Counted(Protocol):
    """A data set that knows which benchmark it is a copy of."""

    @property
    def benchmark(self) -> str:
        """Name of the benchmark's part, a key of `PUBLISHED` if its counts are known."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Return what was read: numbers of pictures, of classes, of sequences."""
        ...


@dataclass(frozen=True, slots=True)
class CountCheck:
    """One number read beside the published one.

    Attributes
    ----------
    benchmark, what : of which part what is counted, such as "pictures"
    read : the number found
    published : the number published, None where none is known
    source : who published it
    """

    benchmark: str
    what: str
    read: int
    published: int | None
    source: str

    @property
    def agrees(self) -> bool:
        """Whether the numbers are equal, or there is nothing to compare with."""
        return self.published is None or self.read == self.published

    def __str__(self) -> str:
        """Return a line to print."""
        line = f"{self.benchmark}: {self.read} {self.what}"
        if self.published is None:
            return f"{line}, no published number known"
        if self.agrees:
            return f"{line}, as published ({self.source})"
        return f"{line}, but {self.published} are published ({self.source})"


def compare_with_published(dataset: Counted) -> tuple[CountCheck, ...]:
    """Set the numbers read from a data set beside the published ones.

    A difference is no error, as parts of benchmarks are used too, but it is to be reported with
    every figure measured on them.

    Parameters
    ----------
    dataset : one of the benchmarks' readers

    Returns
    -------
    checks : tuple of CountCheck
        One for each number read.

    Examples
    --------
    >>> PUBLISHED["pascal-5i/val/1"]
    ({'pictures': 445}, "lists of VRP-SAM's published code")
    """
    published, source = PUBLISHED.get(dataset.benchmark, ({}, ""))
    return tuple(
        CountCheck(dataset.benchmark, what, read, published.get(what), source)
        for what, read in dataset.counts().items()
    )

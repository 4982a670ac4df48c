"""What an experiment is: cells, each a model that is trained and a question that it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from vrpsam_app.annotations import Kind
from vrpsam_app.config import QueryInit
from vrpsam_app.data.class_folds import FOLDS

Benchmark = Literal["coco20i", "pascal5i"]
Test = Literal["coco20i", "pascal5i", "coco_to_pascal"]
Backbone = Literal["resnet50", "vgg16", "dinov2"]
Loss = Literal["both", "bce", "dice"]
Measure = Literal["miou", "parameters"]

ALL_FOLDS = tuple(range(FOLDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A model as the paper varies it; everything not said here is the paper's default.

    Attributes
    ----------
    benchmark : whose base classes it learns from
    marks : how its references are marked while it learns
    backbone : the frozen semantic encoder
    loss : which terms of the mask loss
    num_queries : visual prompts made of each reference
    query_init : what the queries start from
    """

    benchmark: Benchmark
    marks: Kind = "mask"
    backbone: Backbone = "resnet50"
    loss: Loss = "both"
    num_queries: int = 50
    query_init: QueryInit = "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a model is asked.

    Attributes
    ----------
    test : whose novel classes; ``coco_to_pascal`` are those of PASCAL that a model trained on the
        same fold of COCO has not seen
    marks : how references are marked
    shots : number of references
    method : name in `vrpsam_app.methods`
    """

    test: Test
    marks: Kind = "mask"
    shots: int = 1
    method: str = "vrp_sam"


@dataclass(frozen=True, slots=True)
class Run:
    """One model, trained on one fold and asked about its novel classes.

    Attributes
    ----------
    variant, trial, fold
    """

    variant: Variant
    trial: Trial
    fold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One number of a table.

    Attributes
    ----------
    row : words at the left, as many as the experiment names
    column : head of the column
    published : as printed: mIoU in percent, or millions of parameters; None where no source has it
    variant, trial : None for figures of other people's methods, which are quoted only
    folds : those that it is the mean of
    measure : what is measured
    note : what a reader has to know about the printed figure
    """

    row: tuple[str, ...]
    column: str
    published: float | None
    variant: Variant | None = None
    trial: Trial | None = None
    folds: tuple[int, ...] = ALL_FOLDS
    measure: Measure = "miou"
    note: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether there is anything to run."""
        return self.variant is not None

    def runs(self, folds: tuple[int, ...] = ALL_FOLDS) -> tuple[Run, ...]:
        """Return what has to be run for it, as far as `folds` goes; nothing for a mere count."""
        if self.variant is None or self.trial is None:
            return ()
        wanted = [fold for fold in self.folds if fold in folds]
        return tuple(Run(self.variant, self.trial, fold) for fold in wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One table or figure of the paper.

    Attributes
    ----------
    name : on the command line
    title : what is compared
    row_names : what the words of a row are
    cells : row by row
    remark : where its sources are silent or contradict each other; may be empty
    """

    name: str
    title: str
    row_names: tuple[str, ...]
    cells: tuple[Cell, ...]
    remark: str = ""

    @property
    def label(self) -> str:
        """Return the name as a reader knows it.

        Examples
        --------
        >>> Experiment(name="table5", title="", row_names=(), cells=()).label
        'Table 5'
        """
        word = self.name.rstrip("0123456789")
        return f"{word.capitalize()} {self.name.removeprefix(word)}"

    def runs(self, folds: tuple[int, ...] = ALL_FOLDS) -> Iterator[Run]:
        """Yield every run of its cells once, in their order."""
        yield from dict.fromkeys(run for cell in self.cells for run in cell.runs(folds))

    @property
    def tests(self) -> tuple[Test, ...]:
        """Return the benchmarks that are asked, each once."""
        return tuple(dict.fromkeys(c.trial.test for c in self.cells if c.trial is not None))

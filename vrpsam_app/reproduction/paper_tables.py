"""The tables and the figure of the VRP-SAM paper, as data.

Numbers are those of Sun et al., VRP-SAM: SAM with Visual Reference Prompt, CVPR 2024,
arXiv:2402.17726: mean IoU over a fold's novel classes, in percent, one reference unless said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from vrpsam_app.annotations import Kind
from vrpsam_app.config import QueryInit
from vrpsam_app.errors import ConfigError
from vrpsam_app.reproduction.experiments import (
    ALL_FOLDS,
    Backbone,
    Benchmark,
    Cell,
    Experiment,
    Loss,
    Test,
    Trial,
    Variant,
)

KINDS: tuple[Kind, ...] = ("point", "scribble", "box", "mask")
FOLD_COLUMNS = (*(f"F-{fold}" for fold in ALL_FOLDS), "mean")
COCO, PASCAL = "COCO-20i", "PASCAL-5i"
MEAN = "mean IoU"
DASH = "\N{EN DASH}"
BACKBONES: Mapping[Backbone, str] = MappingProxyType(
    {"resnet50": "ResNet-50", "vgg16": "VGG-16", "dinov2": "DINOv2-B/14"}
)
FIGURE_QUERIES = (1, 5, 10, 25, 50, 75, 100)


def experiment(name: str) -> Experiment:
    """Return an experiment by its name on the command line.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if name not in EXPERIMENTS:
        raise ConfigError(
            f"The paper has no {name!r} that could be run: expected one of "
            f"{', '.join(EXPERIMENTS)}."
        )
    return EXPERIMENTS[name]


def _by_fold(
    row: tuple[str, ...], values: Sequence[float], ours: Cell | None, prefix: str = ""
) -> list[Cell]:
    """Make the cells of four folds and of their mean; `ours` says what is run for each."""
    model = ours or Cell(row=row, column="", published=None)
    places = [*((fold,) for fold in ALL_FOLDS), ALL_FOLDS]
    return [
        replace(model, row=row, column=f"{prefix}{column}", published=value, folds=folds)
        for column, value, folds in zip(FOLD_COLUMNS, values, places, strict=True)
    ]


def _model(
    benchmark: Benchmark,
    marks: Kind = "mask",
    *,
    backbone: Backbone = "resnet50",
    test: Test | None = None,
    method: str = "vrp_sam",
) -> Cell:
    """Return a cell that says what is run, without place and figure."""
    return Cell(
        row=(),
        column="",
        published=None,
        variant=Variant(benchmark=benchmark, marks=marks, backbone=backbone),
        trial=Trial(test=test or benchmark, marks=marks, method=method),
    )


def _everything(benchmark: Benchmark, column: str) -> Cell:
    """Return a cell for what marking every pixel reaches: what is not above it found nothing."""
    model = _model(benchmark, method="everything")
    return replace(model, row=("every pixel marked", DASH), column=column, note="not in the paper")


def _table1() -> Experiment:
    others = {
        "Painter": (31.2, 35.3, 33.5, 32.4, 33.1),
        "SegGPT": (56.3, 57.4, 58.9, 51.7, 56.1),
        "Matcher": (52.7, 53.5, 52.6, 52.1, 52.7),
    }
    run_here = {
        "PerSAM": ("persam_paper", (23.1, 23.6, 22.0, 23.4, 23.0)),
        "PerSAM-F": ("persam_f_paper", (22.3, 24.0, 23.4, 24.1, 23.5)),
    }
    ours: Mapping[Kind, tuple[float, ...]] = {
        "point": (30.1, 39.2, 43.0, 40.4, 38.2),
        "scribble": (40.2, 52.0, 52.4, 44.4, 47.2),
        "box": (44.5, 49.3, 55.7, 49.1, 49.7),
        "mask": (48.1, 55.8, 60.0, 51.6, 53.9),
    }
    cells = [c for name, v in others.items() for c in _by_fold((name, "mask"), v, None)]
    for name, (method, values) in run_here.items():
        cells += _by_fold((name, "mask"), values, _model("coco20i", method=method))
    for kind in KINDS:
        cells += _by_fold(("VRP-SAM", kind), ours[kind], _model("coco20i", kind))
    cells.append(_everything("coco20i", "mean"))
    return Experiment(
        name="table1",
        title=f"Formats of annotation beside other foundation models, {COCO}",
        row_names=("method", "marks"),
        cells=tuple(cells),
        remark="SegGPT has seen all classes of COCO in training. PerSAM and PerSAM-F run on the "
        "SAM that our models stand on, in our own implementation of what they published. The means "
        "38.2 of points and 47.2 of scribbles stand as 38.4 and 47.3 in Table 3.",
    )


def _table2() -> Experiment:
    # Method, backbone, learned parameters in millions, four folds and mean of COCO, of PASCAL.
    others = (
        ("PFENet", "VGG-16", 10.4, (35.4, 38.1, 36.8, 34.7, 36.3), (56.9, 68.2, 54.5, 52.4, 58.0)),
        ("BAM", "VGG-16", 4.9, (36.4, 47.1, 43.3, 41.7, 42.1), (63.2, 70.8, 66.1, 57.5, 64.4)),
        ("HDMNet", "VGG-16", 4.2, (40.7, 50.6, 48.2, 44.0, 45.9), (64.8, 71.4, 67.7, 56.4, 65.1)),
        (
            "PFENet",
            "ResNet-50",
            10.4,
            (36.5, 38.6, 34.5, 33.8, 35.8),
            (61.7, 69.5, 55.4, 56.3, 60.8),
        ),
        ("HSNet", "ResNet-50", 2.6, (36.3, 43.1, 38.7, 38.7, 39.2), (64.3, 70.7, 60.3, 60.5, 64.0)),
        (
            "CyCTR",
            "ResNet-50",
            15.4,
            (38.9, 43.0, 39.6, 39.8, 40.3),
            (65.7, 71.0, 59.5, 59.7, 64.0),
        ),
        ("SSP", "ResNet-50", 8.7, (35.5, 39.6, 37.9, 36.7, 37.4), (60.5, 67.8, 66.4, 51.0, 61.4)),
        (
            "NTRENet",
            "ResNet-50",
            19.9,
            (36.8, 42.6, 39.9, 37.9, 39.3),
            (65.4, 72.3, 59.4, 59.8, 64.2),
        ),
        ("DPCN", "ResNet-50", None, (42.0, 47.0, 43.3, 39.7, 43.0), (65.7, 71.6, 69.1, 60.6, 66.7)),
        ("VAT", "ResNet-50", 3.2, (39.0, 43.8, 42.6, 39.7, 41.3), (67.6, 72.0, 62.3, 60.1, 65.5)),
        ("BAM", "ResNet-50", 4.9, (39.4, 49.9, 46.2, 45.2, 45.2), (69.0, 73.6, 67.6, 61.1, 67.8)),
        (
            "HDMNet",
            "ResNet-50",
            4.2,
            (43.8, 55.3, 51.6, 49.4, 50.0),
            (71.0, 75.4, 68.9, 62.1, 69.4),
        ),
        ("DCAMA", "Swin-B", 47.7, (49.5, 52.7, 52.8, 48.7, 50.9), (72.2, 73.8, 64.3, 67.1, 69.3)),
    )
    ours: Mapping[Backbone, tuple[tuple[float, ...], tuple[float, ...]]] = {
        "vgg16": ((43.6, 51.7, 50.0, 46.5, 48.0), (70.0, 74.7, 68.3, 61.9, 68.7)),
        "resnet50": ((48.1, 55.8, 60.0, 51.6, 53.9), (73.9, 78.3, 70.6, 65.0, 71.9)),
    }
    cells: list[Cell] = []
    for method, backbone, millions, coco, pascal in others:
        row = (method, backbone)
        if millions is not None:
            cells.append(_parameters(row, millions, None))
        cells += _by_fold(row, coco, None, f"{COCO} ") + _by_fold(row, pascal, None, f"{PASCAL} ")
    for name, (of_coco, of_pascal) in ours.items():
        row = ("VRP-SAM", BACKBONES[name])
        cells.append(_parameters(row, 1.0, Variant(benchmark="coco20i", backbone=name)))
        cells += _by_fold(row, of_coco, _model("coco20i", backbone=name), f"{COCO} ")
        cells += _by_fold(row, of_pascal, _model("pascal5i", backbone=name), f"{PASCAL} ")
    return Experiment(
        name="table2",
        title="Backbones beside methods of few-shot segmentation",
        row_names=("method", "backbone"),
        cells=tuple(cells),
        remark="The published code has 1,592,064 learned parameters on ResNet-50 and 1,395,456 on "
        "VGG-16, where the paper prints 1.0 M for both.",
    )


def _parameters(row: tuple[str, ...], millions: float, variant: Variant | None) -> Cell:
    return Cell(
        row=row,
        column="learned parameters (M)",
        published=millions,
        variant=variant,
        measure="parameters",
    )


def _table3() -> Experiment:
    geometric = {"geometric_box": "box", "geometric_points": "point", "geometric_both": "both"}
    printed: Mapping[Backbone, tuple[float, float, float]] = {
        "resnet50": (19.7, 21.7, 23.2),
        "dinov2": (31.3, 36.6, 37.8),
    }
    cells = []
    for backbone, values in printed.items():
        for (method, prompt), value in zip(geometric.items(), values, strict=True):
            model = _model("coco20i", backbone=backbone, method=method)
            row = ("GP-SAM", BACKBONES[backbone], prompt)
            cells.append(replace(model, row=row, column=MEAN, published=value))
    matcher = ("GP-SAM of Matcher", BACKBONES["dinov2"], "both")
    cells.append(Cell(row=matcher, column=MEAN, published=52.7))
    for kind, value in zip(KINDS, (38.4, 47.3, 49.7, 53.9), strict=True):
        row = ("VRP-SAM", BACKBONES["resnet50"], kind)
        cells.append(replace(_model("coco20i", kind), row=row, column=MEAN, published=value))
    row = ("VRP-SAM", BACKBONES["dinov2"], "mask")
    best = _model("coco20i", backbone="dinov2")
    cells.append(replace(best, row=row, column=MEAN, published=60.4))
    return Experiment(
        name="table3",
        title=f"Geometric prompts instead of visual reference prompts, {COCO}",
        row_names=("method", "backbone", "prompts"),
        cells=tuple(cells),
        remark="The paper takes five random points of the pseudo-mask and its bounding box, and "
        "does not say where it cuts the pseudo-mask. Ours cuts by Otsu's threshold and takes the "
        "five best points, five points beside the object, and the box of what is no speck.",
    )


def _table4() -> Experiment:
    scribble = _model("coco20i", "scribble", test="coco_to_pascal")
    mask = _model("coco20i", "mask", test="coco_to_pascal")
    return Experiment(
        name="table4",
        title=f"Domain shift: learned on {COCO}, asked on PASCAL",
        row_names=("method", "marks"),
        cells=(
            replace(
                scribble,
                row=("VRP-SAM", "scribble"),
                column=MEAN,
                published=None,
                note="the text says 2.8 above FPTrans",
            ),
            replace(
                mask,
                row=("VRP-SAM", "mask"),
                column=MEAN,
                published=75.9,
                note="the text says 5.8 above DGPNet",
            ),
        ),
        remark="The figure 75.9 was reached by others only with classes that the model had learned "
        "from; with classes kept apart they report 68. Here they are kept apart.",
    )


def _pascal(
    row: tuple[str, ...], column: str, published: float | None, variant: Variant, shots: int = 1
) -> Cell:
    trial = Trial(test="pascal5i", marks=variant.marks, shots=shots)
    return Cell(row=row, column=column, published=published, variant=variant, trial=trial)


def _table5() -> Experiment:
    printed: Mapping[Loss, tuple[str, float]] = {
        "bce": ("BCE", 70.1),
        "dice": ("Dice", 70.3),
        "both": ("BCE + Dice", 71.9),
    }
    return Experiment(
        name="table5",
        title=f"Terms of the loss, {PASCAL}",
        row_names=("method", "loss"),
        cells=(
            *(
                _pascal(("VRP-SAM", words), MEAN, value, Variant(benchmark="pascal5i", loss=loss))
                for loss, (words, value) in printed.items()
            ),
            _everything("pascal5i", MEAN),
        ),
    )


def _table6() -> Experiment:
    printed: Mapping[QueryInit, tuple[str, float]] = {
        "foreground": ("foreground prototype", 68.2),
        "background": ("background prototype", 62.6),
        "half": ("half of each", 67.4),
        "random": ("random", 71.9),
    }
    return Experiment(
        name="table6",
        title=f"What the queries start from, {PASCAL}",
        row_names=("method", "start"),
        cells=tuple(
            _pascal(("VRP-SAM", words), MEAN, value, Variant(benchmark="pascal5i", query_init=init))
            for init, (words, value) in printed.items()
        ),
        remark="The paper heads the column of the starts with *image encoder*, and does not say "
        "how queries that start alike are told apart; here they are not.",
    )


def _table7() -> Experiment:
    printed: Mapping[Kind, tuple[float, float]] = {
        "point": (62.9, 64.1),
        "scribble": (66.8, 68.4),
        "box": (69.4, 70.5),
        "mask": (71.9, 72.9),
    }
    return Experiment(
        name="table7",
        title=f"One reference or five, {PASCAL}",
        row_names=("method", "marks"),
        cells=tuple(
            _pascal(
                ("VRP-SAM", kind),
                f"{shots}-VRP",
                value,
                Variant(benchmark="pascal5i", marks=kind),
                shots,
            )
            for kind, values in printed.items()
            for shots, value in zip((1, 5), values, strict=True)
        ),
        remark="All models learn from one reference at a time; five are given when they are asked.",
    )


def _figure6() -> Experiment:
    return Experiment(
        name="figure6",
        title=f"Number of queries, {PASCAL}",
        row_names=("method", "queries"),
        cells=tuple(
            _pascal(
                ("VRP-SAM", str(count)),
                MEAN,
                71.9 if count == 50 else None,
                Variant(benchmark="pascal5i", num_queries=count),
            )
            for count in FIGURE_QUERIES
        ),
        remark="The text has the curve in words only: it rises with the number of queries up to "
        "50, and hardly after. The figure at 50 is that of the other tables; the other numbers of "
        "queries are ours.",
    )


EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        e.name: e
        for e in (
            _table1(),
            _table2(),
            _table3(),
            _table4(),
            _table5(),
            _table6(),
            _table7(),
            _figure6(),
        )
    }
)
"""Name on the command line -> experiment, in the order of the paper."""

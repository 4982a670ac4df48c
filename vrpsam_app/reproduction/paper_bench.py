"""The paper's own scale: COCO and PASCAL, a SAM and backbones that were published."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from hub_weights.checksums import sha256_of
from vrpsam_app.errors import ConfigError, ImageFileError, WeightsError
from vrpsam_app.evaluation.evaluation_set import PAPER_LEAST_AREA, EvaluationSet
from vrpsam_app.reproduction.bench import Report, draw_questions
from vrpsam_app.reproduction.experiments import Backbone, Benchmark, Run, Test, Variant
from vrpsam_app.reproduction.measured import Scale
from vrpsam_app.reproduction.small_scale import digest

EPISODES = 1000
"""Of each fold, as published."""

EncoderName = Literal["resnet50_v2", "resnet50", "vgg16_bn", "dinov2_b14"]
ENCODERS: tuple[EncoderName, ...] = get_args(EncoderName)
_STANDS_FOR: Mapping[EncoderName, Backbone] = {
    "resnet50_v2": "resnet50",
    "resnet50": "resnet50",
    "vgg16_bn": "vgg16",
    "dinov2_b14": "dinov2",
}
_WORDS: Mapping[str, str] = {
    "coco20i": "COCO",
    "pascal5i": "PASCAL",
    "resnet50": "ResNet-50",
    "vgg16": "VGG-16",
    "dinov2": "DINOv2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFiles:
    """What has to be on this computer.

    Attributes
    ----------
    sam : weights of SAM
    backbones : weights of backbones by name, see `ENCODERS`; one file for each of the paper's
    coco, pascal : roots of the data sets, None for those that are not there
    """

    sam: Path
    backbones: Mapping[EncoderName, Path]
    coco: Path | None = None
    pascal: Path | None = None

    def __post_init__(self) -> None:
        for root, option in ((self.coco, "--coco"), (self.pascal, "--pascal")):
            if root is not None and not root.is_dir():
                raise ImageFileError(
                    f"{option} {root} is not a folder: expected the root of the data set."
                )
        for path in (self.sam, *self.backbones.values()):
            if not path.exists():
                raise WeightsError(f"{path} does not exist: expected a file of weights.")
        known = [_STANDS_FOR[name] for name in self.backbones]
        if len(set(known)) < len(known):
            raise ConfigError(
                f"Two of the backbones {', '.join(self.backbones)} stand for the same one of the "
                "paper's: give one file for each."
            )

    def root(self, benchmark: Benchmark) -> Path | None:
        """Return where a benchmark lies."""
        return self.coco if benchmark == "coco20i" else self.pascal

    def encoder(self, backbone: Backbone) -> EncoderName | None:
        """Return which file stands for a backbone, None if none does."""
        return next((name for name in self.backbones if _STANDS_FOR[name] == backbone), None)


def parse_backbones(texts: list[str]) -> dict[EncoderName, Path]:
    """Read ``NAME=FILE``; a file without a name is the published ResNet-50.

    Raises
    ------
    ConfigError
        If a name is unknown or comes twice.

    Examples
    --------
    >>> list(parse_backbones(["vgg16_bn=vgg.pth", "resnet50_v2.pth"]))
    ['vgg16_bn', 'resnet50_v2']
    """
    found: dict[EncoderName, Path] = {}
    for text in texts:
        name, equals, file = text.partition("=")
        encoder = next((e for e in ENCODERS if e == name), None) if equals else ENCODERS[0]
        if encoder is None:
            raise ConfigError(
                f"--backbone {text!r} names no backbone: expected FILE or NAME=FILE with one of "
                f"{', '.join(ENCODERS)}."
            )
        if encoder in found:
            raise ConfigError(f"--backbone gives {encoder} twice: expected one file for it.")
        found[encoder] = Path(file if equals else name)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperBench:
    """Trains by the presets ``paper-coco`` and ``paper-pascal``.

    Attributes
    ----------
    files : PaperFiles
    episodes : asked of each fold
    changes : fields of the training run that differ from the preset, such as ``steps``
    computing : fields that say where and how to compute, and change no result on purpose
    """

    files: PaperFiles
    episodes: int = EPISODES
    changes: Mapping[str, Any] = field(default_factory=dict)
    computing: Mapping[str, Any] = field(default_factory=dict)
    scale: Scale = "paper"

    def __post_init__(self) -> None:
        if self.episodes < 1:
            raise ConfigError(f"episodes is {self.episodes}: expected a positive number.")

    def lacks(self, run: Run) -> str:
        """Name data sets and backbones that were not given."""
        wanted: list[str] = [run.variant.benchmark]
        wanted.append("pascal5i" if run.trial.test == "coco_to_pascal" else run.trial.test)
        missing = [w for w in dict.fromkeys(wanted) if self.files.root(_benchmark(w)) is None]
        if self.files.encoder(run.variant.backbone) is None:
            missing.append(run.variant.backbone)
        return f"needs {' and '.join(_WORDS[w] for w in missing)}" if missing else ""

    def training_settings(self, variant: Variant) -> Mapping[str, Any]:
        """Return what differs from the preset, and the names of the weights."""
        encoder = self.files.encoder(variant.backbone)
        return {"sam": self.files.sam.name, "encoder": encoder, **self.changes}

    def trial_settings(self, run: Run) -> Mapping[str, Any]:
        """Return the number of episodes."""
        return {"episodes": self.episodes}

    def training_sources(self, variant: Variant) -> Mapping[str, str]:
        """Return the sums of the weights."""
        encoder = self.files.encoder(variant.backbone)
        return {
            "sam_sha256": _sum(self.files.sam),
            "encoder_sha256": _sum(self.files.backbones[encoder]) if encoder else "",
        }

    def training_roots(self, variant: Variant) -> Mapping[str, str]:
        """Return where the pictures lie."""
        return {"learned_from": _place(self.files.root(variant.benchmark))}

    def trial_sources(self, run: Run) -> Mapping[str, str]:
        """Return where the pictures lie."""
        return {"asked_of": _place(self.files.root(_benchmark(run.trial.test)))}

    def train(self, variant: Variant, fold: int, folder: Path, report: Report) -> Path:
        """Train by the benchmark's preset, with what the variant changes."""
        from vrpsam_app.training.presets import paper_run
        from vrpsam_app.training.run import train

        encoder = self.files.encoder(variant.backbone)
        root = self.files.root(variant.benchmark)
        if encoder is None or root is None:
            raise ConfigError(
                f"{variant} cannot be trained: give the data set and the backbone's file."
            )
        preset = "paper-coco" if variant.benchmark == "coco20i" else "paper-pascal"
        run = paper_run(
            preset,
            root,
            fold,
            folder,
            sam=self.files.sam,
            backbone=self.files.backbones[encoder],
            marks=variant.marks,
            loss=variant.loss,
            **self.changes,
            **self.computing,
        )
        encoder_config = dataclasses.replace(
            run.config.vrp_encoder,
            semantic_encoder=encoder,
            num_queries=variant.num_queries,
            query_init=variant.query_init,
        )
        config = dataclasses.replace(run.config, vrp_encoder=encoder_config)
        return train(dataclasses.replace(run, config=config), report)

    def questions(self, test: Test, fold: int) -> EvaluationSet:
        """Open the novel classes of a fold."""
        from vrpsam_app.data.coco20i import Coco20i
        from vrpsam_app.data.pascal5i import Pascal5i

        root = self.files.root(_benchmark(test))
        if root is None:
            raise ConfigError(f"{_WORDS[_benchmark(test)]} was not given: name its folder.")
        if test == "coco20i":
            dataset: Coco20i | Pascal5i = Coco20i.open(root, fold)
        elif test == "pascal5i":
            dataset = Pascal5i.open(root, fold)
        else:
            dataset = Pascal5i.open_coco_disjoint(root, fold)
        return draw_questions(dataset, episodes=self.episodes, least_area=PAPER_LEAST_AREA, seed=0)


def _benchmark(name: str) -> Benchmark:
    return "coco20i" if name == "coco20i" else "pascal5i"


@cache
def _sum(path: Path) -> str:
    """Return the sum of a file of weights, or of those in a folder."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return digest([sha256_of(file) for file in files if file.is_file()])


def _place(root: Path | None) -> str:
    return "" if root is None else str(root.resolve())

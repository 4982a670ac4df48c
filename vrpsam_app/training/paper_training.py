"""The paper's run: the VRP encoder learns on a frozen SAM and a frozen backbone."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from vrpsam_app.data.data_words import DataWords
from vrpsam_app.data.labelled_dataset import LabelledDataset
from vrpsam_app.data.whole_pictures import Order, WholePictures
from vrpsam_app.embeddings.store import DiskEmbeddingStore, EmbeddingStore
from vrpsam_app.errors import ConfigError
from vrpsam_app.models.filling import fill
from vrpsam_app.models.foundation import (
    PARTS,
    describe,
    load_foundation,
    note_paths,
    weight_file,
)
from vrpsam_app.models.frozen_module import learned_state
from vrpsam_app.models.load import load_model
from vrpsam_app.models.paper_vrp_sam import PaperVRPSAM
from vrpsam_app.output_paths import prepare_folder
from vrpsam_app.training.batch_source import stream_batches
from vrpsam_app.training.frozen_features import FrozenFeatures
from vrpsam_app.training.objective import PUBLISHED
from vrpsam_app.training.pair_batches import PairPlan
from vrpsam_app.training.run_manifest import begun_with, check_same_run
from vrpsam_app.training.trainer import Trainer, TrainingOptions
from vrpsam_app.training.training_run import TrainingRun
from vrpsam_app.training.validation import class_ious

LEAST_AREA = 2 * 32 * 32
"""Pixels from which a class counts in a picture of PASCAL-5i or COCO-20i."""

VALIDATION_SEED = 321


@dataclass(frozen=True, slots=True, eq=False)
class PairData:
    """Data to draw pairs from: named by words, or an opened data set."""

    given: DataWords | LabelledDataset

    @classmethod
    def of(cls, data: str | DataWords | LabelledDataset) -> PairData:
        """Read words, or take what was read or opened."""
        return cls(DataWords.parse(data) if isinstance(data, str) else data)

    @property
    def weight(self) -> float:
        """How often it is drawn, relative to other data."""
        return self.given.weight if isinstance(self.given, DataWords) else 1.0

    def facts(self) -> dict[str, object]:
        """Return what a model's configuration says of it."""
        if isinstance(self.given, DataWords):
            return self.given.facts()
        return {"name": self.given.name, "weight": 1.0}

    def learned(self, side: int) -> WholePictures:
        """Open the pictures to learn from."""
        if not isinstance(self.given, DataWords):
            return WholePictures(self.given, side=side)
        return self._pictures(self.given, self.given.open_part("train"), side)

    def tested(self, side: int) -> WholePictures | None:
        """Open the part to look at meanwhile, None where there is none."""
        if not isinstance(self.given, DataWords):
            return None
        opened = self.given.open_validation()
        return None if opened is None else self._pictures(self.given, opened, side)

    @staticmethod
    def _pictures(words: DataWords, dataset: LabelledDataset, side: int) -> WholePictures:
        order: Order = "picture" if words.benchmark == "pascal5i" else "class"
        least = LEAST_AREA if words.benchmark in ("pascal5i", "coco20i") else 1
        return WholePictures(dataset, side=side, order=order, least_area=least)


def check_paper_run(run: TrainingRun) -> None:
    """Refuse a run that lacks data or frozen weights.

    Raises
    ------
    ConfigError
    """
    encoder = run.config.vrp_encoder.semantic_encoder
    given = {"sam": run.sam, "backbone": run.backbone}
    if lacking := [f"--{part}" for part in PARTS if given[part] is None]:
        raise ConfigError(
            f"{run.config.name} learns on frozen weights: give {' and '.join(lacking)}. SAM's are "
            f"segment-anything's checkpoint, the backbone's a state dict of {encoder}."
        )
    if not run.data:
        raise ConfigError(
            f"{run.config.name} learns from pictures: give --data, the root of COCO or PASCAL VOC "
            "with --fold, or a labelled folder."
        )
    if run.batch < 1 or run.accumulate < 1:
        raise ConfigError(
            f"batch={run.batch}, accumulate={run.accumulate}: expected one or more of each."
        )


def train_paper(
    run: TrainingRun, model: PaperVRPSAM, device: torch.device, report: Callable[[str], None]
) -> Path:
    """Train and write what the VRP encoder learned; see :func:`~vrpsam_app.training.run.train`.

    The frozen parts are neither saved nor changed: the configuration names their files.
    """
    check_paper_run(run)
    files = {
        "sam": weight_file(Path(run.sam or "")),
        "backbone": weight_file(Path(run.backbone or "")),
    }
    load_foundation(model, files)
    foundation = {part: describe(file) for part, file in files.items()}
    config = dataclasses.replace(run.config, foundation=foundation)
    model.config = config
    start = None
    if run.start_from is not None:
        other, start = load_model(run.start_from)
        fill(model, learned_state(other), str(run.start_from), elsewhere=tuple(PARTS.values()))
    check_same_run(prepare_folder(run.folder), begun_with(run, config, start), report)
    side = config.vrp_encoder.image_size
    data = [PairData.of(given) for given in run.data]
    sources = [(d.learned(side), d.weight) for d in data]
    plan = PairPlan(sources=sources, marks=run.marks or "mask", size=run.batch, seed=run.seed)
    pictures = sum(len(source.targets) for source, _ in sources)
    epoch = math.ceil(pictures / (run.batch * run.accumulate))
    steps = run.epochs * epoch if run.steps is None else run.steps
    tests = [(t, 1.0) for d in data if (t := d.tested(side)) is not None]
    look = _validation(run, tests)
    if run.keep == "best" and look is None:
        raise ConfigError("keep='best' needs a part to validate on: none of the data has one.")
    features = FrozenFeatures(model, _store(run), parts=run.store_parts, precision=run.precision)
    trainer = Trainer(model, _options(run, steps), run.folder, device=device, encode=features)
    report(
        f"training on {device} from step {trainer.step} of {steps}: {pictures} pictures, "
        f"{epoch} steps an epoch, {'no' if look is None else 'a'} part to validate on"
    )
    started = time.monotonic()

    def out_of_time() -> bool:
        return run.minutes is not None and time.monotonic() - started > run.minutes * 60

    trainer.run(
        lambda first: stream_batches(plan, first, workers=run.workers),
        until=out_of_time,
        report=report,
        validate=None if look is None else lambda m: class_ious(m, *look, features),
        validate_every=run.validate_every or epoch,
    )
    facts = {
        "learned_from": "pairs of whole pictures, only the VRP encoder",
        "data": [d.facts() for d in data],
        "marks": plan.marks,
        "batch": run.batch,
        "epochs": round(trainer.step / epoch, 2),
        "keep": run.keep,
    }
    folders = [run.folder / "model"]
    if run.export is not None and trainer.step >= steps:
        folders.append(run.export)
    for folder in folders:
        written = trainer.save_model(config, folder, **facts)
        note_paths(folder, files)
    report(f"wrote {written}")
    return written


def _options(run: TrainingRun, steps: int) -> TrainingOptions:
    """AdamW as published: no warm-up, no clipping, a cosine to 0, the weights themselves."""
    return TrainingOptions(
        steps=steps,
        accumulate=run.accumulate,
        learning_rate=run.learning_rate,
        weight_decay=1e-6,
        decay_vectors=True,
        warmup=0,
        floor=0.0,
        clip=None,
        precision=run.precision,
        decay=0.0,
        keep="miou" if run.keep == "best" else None,
        seed=run.seed,
        loss=PUBLISHED.of(run.loss),
    )


def _validation(
    run: TrainingRun, tests: list[tuple[WholePictures, float]]
) -> tuple[PairPlan, int] | None:
    """Return fixed pairs and the number of their batches; None where nothing can be looked at."""
    if not tests or run.validation_episodes < 1:
        return None
    plan = PairPlan(
        sources=tests,
        marks=run.marks or "mask",
        size=run.batch,
        seed=VALIDATION_SEED,
        training=False,
    )
    return plan, math.ceil(run.validation_episodes / run.batch)


def _store(run: TrainingRun) -> EmbeddingStore | None:
    if run.store is not None:
        return DiskEmbeddingStore(
            run.store, max_bytes=run.store_bytes, max_disk_bytes=run.store_disk_bytes
        )
    return EmbeddingStore(run.store_bytes) if run.store_bytes else None

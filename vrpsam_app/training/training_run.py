"""What a training run was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vrpsam_app.config import ModelConfig
from vrpsam_app.option_text import check_number

if TYPE_CHECKING:
    from vrpsam_app.data.data_words import DataWords
    from vrpsam_app.data.labelled_dataset import LabelledDataset
    from vrpsam_app.data.paper_marks import Marks
    from vrpsam_app.training.frozen_features import StoredParts
    from vrpsam_app.training.objective import LossName

DEFAULT_STORE_BYTES = 4 << 30
# SAM's embeddings of all pictures of COCO's training part take some 80 GB.
DEFAULT_STORE_DISK_BYTES = 200 << 30

LEAST_RATE = 1e-9
"""A learning rate below it teaches nothing in single precision."""

MOST_SEED = (1 << 32) - 1
"""Torch takes 64 bits, of which steps have the lower half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRun:
    """What ``vrpsam train`` was asked for; the fields are its options.

    A configuration with a shared backbone is trained from nothing, on groups of views ("embedded");
    any other learns on a frozen SAM and a frozen backbone, on pairs of whole pictures, as the paper
    has it ("paper").

    Attributes
    ----------
    config : ModelConfig
        What is trained; number and start of the prompt queries stand in ``vrp_encoder``.
    folder : Path
        State, log, curves and model of the run.
    data : tuple
        Words of ``--data``, as text or parsed, or opened data sets to learn from.
    synthetic_share : float in [0, 1]
        Embedded: share of procedural scenes beside data.
    steps : int, optional
        Length of the schedule. None: 20,000 embedded, what `epochs` gives for the paper's.
    cooldown : int, optional
        Embedded: steps at the end over which the learning rate falls from a constant one. None: it
        follows a cosine.
    epochs : int
        Paper: passes over the pictures where `steps` does not say it.
    batch, accumulate : int
        Paper: pairs per batch; both: batches per step.
    minutes : float, optional
        Stop after so long; the run goes on when it is started again. It counts up to the end of
        the schedule: embedded, the stages after it run until they have learned.
    dense_steps : int, optional
        Embedded: steps of the first stage, in which the dense encoder learns. None: 16000 from
        nothing, 0 with `start_from`.
    groups, cut_episodes, refined_episodes, quality_episodes : int
        Embedded: groups of pictures per batch; answers from which the model learns where to cut,
        how to correct them, and how to judge them.
    marks : Marks, optional
        How references are marked. None: the mask for the paper's, a mix of gestures embedded.
    loss : {"bce", "dice", "both"}
    learning_rate : float
    precision : {"fp32", "bf16"}
    device : str
    workers, threads : int
        Processes that draw batches, threads of the computation on a CPU.
    seed : int
    start_from : Path, optional
        Model whose learned weights a new run begins with.
    export : Path, optional
        Where the model is written to as well.
    sam, backbone : Path, optional
        Paper, needed: files of frozen weights, or folders with one.
    store_bytes : int
        Paper: memory for what the frozen parts say of pictures; 0 computes it anew each time.
    store : Path, optional
        Paper: folder in which it is kept beyond the run as well.
    store_disk_bytes : int
        Paper: size of that folder.
    store_parts : {"sam", "all"}
        Paper: what is kept, SAM's embeddings or also the backbone's maps, twenty times larger.
    validate_every : int, optional
        Steps. None: 1000 embedded, an epoch for the paper's.
    validation_episodes : int
        Paper: pairs of the test part that are looked at.
    keep : {"last", "best"}
        Paper: the last weights, or those with the best validation, as the published code has it.

    Raises
    ------
    ConfigError
        If rate, share, time or seed is out of its range.
    """

    config: ModelConfig
    folder: Path
    data: tuple[str | DataWords | LabelledDataset, ...] = ()
    synthetic_share: float = 0.5
    steps: int | None = None
    cooldown: int | None = None
    epochs: int = 50
    batch: int = 8
    accumulate: int = 1
    minutes: float | None = None
    dense_steps: int | None = None
    groups: int = 5
    cut_episodes: int = 5000
    refined_episodes: int = 15_500
    quality_episodes: int = 3500
    marks: Marks | None = None
    loss: LossName = "both"
    learning_rate: float = 1e-3
    precision: str = "fp32"
    device: str = "auto"
    workers: int = 1
    threads: int | None = None
    seed: int = 0
    start_from: Path | None = None
    export: Path | None = None
    sam: Path | None = None
    backbone: Path | None = None
    store_bytes: int = DEFAULT_STORE_BYTES
    store: Path | None = None
    store_disk_bytes: int = DEFAULT_STORE_DISK_BYTES
    store_parts: StoredParts = "sam"
    validate_every: int | None = None
    validation_episodes: int = 200
    keep: Literal["last", "best"] = "last"

    def __post_init__(self) -> None:
        check_number(self, "learning_rate", LEAST_RATE)
        check_number(self, "synthetic_share", 0, 1)
        check_number(self, "minutes", 0)
        check_number(self, "seed", 0, MOST_SEED, whole=True)

"""A run whose schedule has ended, for the stages that teach what stands after the network."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from vrpsam_app.models.embedded_vrp_sam import EmbeddedVRPSAM
from vrpsam_app.training.batch_source import BatchPlan
from vrpsam_app.training.checkpoints import load_state, save_state
from vrpsam_app.training.episode_sampler import EpisodeMix


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """What such a stage starts from, and where it leaves what it has learned.

    Attributes
    ----------
    network : EmbeddedVRPSAM
    weights : tensors by name
        Those that it ends with; what is learned gets among them.
    plan : BatchPlan
        What the run learned from.
    folder : Path
        Keeps what a stage has learned, so that a run that is taken up again need not repeat it.
    workers : int
        Processes that make batches.
    report : callable
        Takes lines of progress.
    precision : {"fp32", "bf16"}
        In which what is more than a few numbers learns.
    """

    network: EmbeddedVRPSAM
    weights: dict[str, Tensor]
    plan: BatchPlan
    folder: Path
    workers: int
    report: Callable[[str], None]
    precision: str = "fp32"

    def model(self) -> EmbeddedVRPSAM:
        """Return the model with the weights as they are now, ready to answer."""
        self.network.load_state_dict(self.weights)
        return self.network.eval()

    def asking(
        self, mix: EpisodeMix, sizes: tuple[tuple[int, float], ...], stage: int
    ) -> BatchPlan:
        """Return the plan of a stage: its own mix and views, and batches of its own."""
        return dataclasses.replace(self.plan, mix=mix, sizes=sizes, seed=self.plan.seed + stage)

    def once(
        self, name: str, episodes: int, learn: Callable[[], Mapping[str, Any]]
    ) -> Mapping[str, Any]:
        """Return what a stage has learned: from the folder, or by learning and keeping it.

        What was learned from another number of episodes, or stands on other weights, is learned
        anew.
        """
        path = self.folder / name
        basis = {"episodes": episodes, "weights": self.fingerprint()}
        kept = load_state(path)
        if kept is not None and kept.get("basis") == basis:
            learned: Mapping[str, Any] = kept["learned"]
            return learned
        learned = learn()
        save_state(path, {"basis": basis, "learned": dict(learned)})
        return learned

    def fingerprint(self) -> str:
        """Return what tells the weights as they are now from all others."""
        digest = hashlib.sha256()
        for name, value in sorted(self.weights.items()):
            digest.update(name.encode())
            digest.update(value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def adopt(self, part: str, learned: Mapping[str, Tensor]) -> None:
        """Put what was learned of a part of the model among the weights."""
        for name, value in learned.items():
            self.weights[f"{part}.{name}"] = value.clone()

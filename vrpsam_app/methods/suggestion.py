"""Which other method may know better where the model that comes with the program is unsure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from hub_weights import KnownWeights

UNSURE = 0.5
"""Expected IoU below which answers count as unsure: masks below it count as bad in evaluation."""

SAM, FEATURES = "sam_vit_b", "dinov2_b14"
"""What matching takes where no other weights of the kind are on this computer."""

_HERE = ("here", "cached")


class Verdict(Protocol):
    """What was said of one class in one picture, such as a :class:`Prediction`."""

    @property
    def present(self) -> bool:
        """Whether the object is there."""
        ...

    @property
    def score(self) -> float:
        """Expected IoU of its mask."""
        ...


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Matching on weights of one's own.

    Attributes
    ----------
    sam, features : names of the weights
    to_download : bytes of those that are not on this computer
    """

    sam: str
    features: str
    to_download: int

    def __str__(self) -> str:
        """Say what to do and what it takes."""
        from hub_weights import in_bytes

        told = (
            f"{in_bytes(self.to_download)} to download" if self.to_download else "on this computer"
        )
        return (
            f"The model is unsure here. The method matching may know better, with {self.sam} and "
            f"{self.features} ({told})."
        )

    @property
    def options(self) -> str:
        """The same as options of a command."""
        return f"--method matching --sam {self.sam} --features {self.features}"


def suggestion_for(verdicts: Iterable[Verdict], made_by: Mapping[str, Any]) -> Suggestion | None:
    """Return what to try after answers that the embedded model is unsure of, None if it is sure.

    Parameters
    ----------
    verdicts : of all pictures and classes that were asked about
    made_by : what the segmenter says of itself; of other models and methods nothing is known
    """
    if made_by.get("method") != "vrp_sam" or made_by.get("model") != "embedded":
        return None
    said = list(verdicts)
    scores = [v.score for v in said if v.present]
    if not said or (scores and median(scores) >= UNSURE):
        return None
    from hub_weights import list_weights

    return _chosen([w for w in list_weights() if w.state != "to be brought"])


def _chosen(known: Sequence[KnownWeights]) -> Suggestion | None:
    """Take what is on this computer first."""
    sams = [w for w in known if w.kind == "sam"]
    backbones = [w for w in known if w.kind == "backbone" and w.name.startswith("dinov2")]
    chosen = []
    for weights, usual in ((sams, SAM), (backbones, FEATURES)):
        here = [w for w in weights if w.state in _HERE]
        usually = [w for w in weights if w.name == usual]
        if not (here or usually):
            return None
        chosen.append(next((w for w in usually if w in here), (here or usually)[0]))
    sam, features = chosen
    fetched = sum(w.size or 0 for w in chosen if w.state not in _HERE)
    return Suggestion(sam.name, features.name, fetched)

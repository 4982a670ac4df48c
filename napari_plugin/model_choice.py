"""Which model answers, by which method and on which device; loaded late, and once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from vrpsam_app.weights_errors import weights_errors

if TYPE_CHECKING:
    from hub_weights import DownloadCallback
    from vrpsam_app.embeddings.store import EmbeddingStore
    from vrpsam_app.methods import MethodSources
    from vrpsam_app.reference_segmenter import ReferenceSegmenter

EMBEDDED = "embedded"
"""The model that comes with the program."""


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """What a person chose; nothing is loaded by choosing.

    Attributes
    ----------
    model : name, folder, or ``organisation/name`` on the Hub
    method : a name of :data:`vrpsam_app.methods.METHODS`
    device : auto, cpu, cuda or mps
    sam : name or file of SAM's weights for methods that need a SAM; empty takes the model's own
    features : name or file of a backbone's weights for matching; empty takes SAM's or the model's
    """

    model: str = EMBEDDED
    method: str = "vrp_sam"
    device: str = "auto"
    sam: str = ""
    features: str = ""

    @property
    def weights(self) -> ModelChoice:
        """The choice without its method: choices that share weights have the same."""
        return replace(self, method="")


class ModelShelf:
    """The segmenter of the last choice, and the weights that it shares with other methods.

    Parameters
    ----------
    open_store : makes the place where embeddings are kept, when the first model is loaded

    Notes
    -----
    Another method on the same weights loads nothing again. Other weights take the place of those
    before, so that trying out models does not fill the memory; embeddings stay in the store.
    """

    def __init__(self, open_store: Callable[[], EmbeddingStore]) -> None:
        self._open_store = open_store
        self._store: EmbeddingStore | None = None
        self._lock = threading.RLock()
        self._weights: ModelChoice | None = None
        self._sources: MethodSources | None = None
        self._segmenters: dict[ModelChoice, ReferenceSegmenter] = {}
        self._progress: DownloadCallback | None = None

    @property
    def store(self) -> EmbeddingStore:
        """Where embeddings are kept."""
        with self._lock:
            if self._store is None:
                self._store = self._open_store()
            return self._store

    def loaded(self, choice: ModelChoice) -> ReferenceSegmenter | None:
        """Return the segmenter of a choice if it is there already; never waits."""
        return self._segmenters.get(choice)

    def segmenter(
        self, choice: ModelChoice, progress: DownloadCallback | None = None
    ) -> ReferenceSegmenter:
        """Return the segmenter of a choice, loading it first: takes seconds, call it in a worker.

        Parameters
        ----------
        progress : told how far a download is, in the thread that calls

        Raises
        ------
        WeightsError
            If weights cannot be found, downloaded or read.
        ConfigError
            If the method lacks weights, or does not exist.
        DeviceError
            If the device is not there.
        """
        with self._lock:
            if (found := self._segmenters.get(choice)) is not None:
                return found
            from vrpsam_app.errors import ConfigError
            from vrpsam_app.methods import METHODS

            if choice.method not in METHODS:
                raise ConfigError(
                    f"There is no method {choice.method!r}: expected one of {', '.join(METHODS)}."
                )
            if self._sources is None or self._weights != choice.weights:
                self._segmenters.clear()
                self._sources = self._sources_of(choice)
                self._weights = choice.weights
            self._progress = progress
            try:
                with weights_errors():
                    segmenter = METHODS[choice.method](self._sources)
            finally:
                self._progress = None
            self._segmenters[choice] = segmenter
            return segmenter

    def put(self, choice: ModelChoice, segmenter: Any) -> None:
        """Let a segmenter that is loaded already, or a script's own, answer for a choice."""
        with self._lock:
            self._segmenters[choice] = segmenter

    def clear(self) -> None:
        """Let go of everything that is loaded."""
        with self._lock:
            self._segmenters.clear()
            self._sources = self._weights = None

    def _sources_of(self, choice: ModelChoice) -> MethodSources:
        from vrpsam_app.methods import MethodSources

        def load_predictor() -> Any:
            from vrpsam_app.predictor import VRPSAMPredictor

            return VRPSAMPredictor.from_pretrained(
                choice.model, device=choice.device, store=self.store, progress=self._progress
            )

        return MethodSources.of(
            load_predictor,
            sam=choice.sam or None,
            features=choice.features or None,
            device=choice.device,
            store=self.store,
        )


def device_of(segmenter: Any) -> str:
    """Return where a segmenter runs, as it says itself; empty if it does not."""
    said: dict[str, Any] = getattr(segmenter, "describe", dict)()
    return str(said.get("device", "") or "")

"""The models of this process, and what the page asks of them."""

from __future__ import annotations

import functools
import platform
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from numpy.typing import NDArray

from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.errors import ConfigError, WeightsError
from vrpsam_app.images import IntensityRange
from vrpsam_app.methods import METHODS, MethodSources, usable_methods
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import ClassPredictions, Prediction, Segmenter
from vrpsam_app.web.limits import on_space
from vrpsam_app.web.line import Line

if TYPE_CHECKING:
    from hub_weights import DownloadCallback, KnownWeights

EMBEDDED = "embedded"
DEFAULT_METHOD = "vrp_sam"
# Models beside the embedded one that stay loaded; the one that was not used for longest goes.
MOST_LOADED = 2
# Of all models together. Every stroke makes a reference that is hardly ever asked for again: those
# have room for as many as one visitor may bring, and leave the rest to pictures.
EMBEDDING_BYTES, REFERENCE_BYTES = 512 * 2**20, 32 * 2**20


class WebPredictor(Segmenter, Protocol):
    """A segmenter that can say what it is; most can also get ready for a target."""

    def describe(self) -> Mapping[str, object]:
        """Return what a recipe must name."""
        ...


PredictorFactory = Callable[[], WebPredictor]
OnGpu = Callable[[Callable[..., Any]], Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class Choice:
    """What a visitor wants to be answered by.

    Attributes
    ----------
    model : name of a model on this computer, a folder, or ``organisation/name`` on the Hub
    method : one of :data:`vrpsam_app.methods.METHODS`
    device : auto, cpu, cuda, mps
    """

    model: str = EMBEDDED
    method: str = DEFAULT_METHOD
    device: str = "auto"


_loading = threading.Lock()


def embedded_predictor() -> WebPredictor:
    """Return the predictor with the model that comes in the package, the same one every time."""
    with _loading:  # two threads that import torchvision at once find half of it
        return _embedded_predictor()


@functools.cache
def _embedded_predictor() -> WebPredictor:
    from vrpsam_app.predictor import VRPSAMPredictor

    return VRPSAMPredictor.from_pretrained(EMBEDDED, store=embeddings())


@functools.cache
def embeddings() -> EmbeddingStore:
    """Return what all models of this process keep of pictures and references."""
    return EmbeddingStore(EMBEDDING_BYTES, max_fleeting_bytes=REFERENCE_BYTES)


class ModelShelf:
    """Segmenters by what visitors choose, each made once and shared by all; and the line for them.

    Parameters
    ----------
    default : gives what answers while nobody has chosen
    on_gpu : lends a graphics card to a function while it runs, as the ``spaces`` package does
    """

    def __init__(
        self,
        default: PredictorFactory = embedded_predictor,
        on_gpu: OnGpu | None = None,
    ) -> None:
        self._default = default
        self._made: OrderedDict[Choice, WebPredictor] = OrderedDict()
        self._making: dict[Choice, threading.Lock] = {}
        self._lock = threading.Lock()
        self._on_gpu = on_gpu
        self.line = Line()
        if on_gpu is not None:  # which has to know at the start what it will be lent for
            self.of(Choice())

    def of(self, choice: Choice, progress: DownloadCallback | None = None) -> WebPredictor:
        """Return what answers a choice; the first time it is loaded, and downloaded if need be.

        Raises
        ------
        ConfigError
            If there is no such method, or it cannot be used with this model.
        WeightsError
            If the model cannot be had.
        DeviceError
            If the device is not there.
        """
        if choice == Choice():
            return self._lent(choice, self._default)
        check_choice(choice)
        return self._lent(choice, lambda: _make(choice, progress))

    def _lent(self, choice: Choice, make: PredictorFactory) -> WebPredictor:
        with self._lock:
            own = self._making.setdefault(choice, threading.Lock())
        with own:  # a download keeps nobody waiting who wants something else
            with self._lock:
                if (known := self._made.get(choice)) is not None:
                    self._made.move_to_end(choice)
                    return known
            made = make()
            if self._on_gpu is not None:
                made = LentSegmenter(made, self._on_gpu)
            with self._lock:
                self._made[choice] = made
                others = [key for key in self._made if key != Choice()]
                for key in others[:-MOST_LOADED]:
                    del self._made[key]
        return made


class LentSegmenter:
    """A segmenter each of whose answers is given by a graphics card that is lent for it."""

    def __init__(self, segmenter: WebPredictor, on_gpu: OnGpu) -> None:
        self._segmenter = segmenter
        self._predict = on_gpu(segmenter.predict)
        self._predict_classes = on_gpu(segmenter.predict_classes)

    @property
    def input_side(self) -> int:
        """Longer side of a picture that the model sees without reducing it."""
        from vrpsam_app.tiles.plan import input_side

        return input_side(self._segmenter)

    def describe(self) -> Mapping[str, object]:
        """Return what a recipe must name."""
        return self._segmenter.describe()

    def predict(
        self, target: NDArray[Any], references: Reference | Sequence[Reference], **settings: Any
    ) -> Prediction:
        """Find one class in a target."""
        prediction: Prediction = self._predict(target, references, **settings)
        return prediction

    def predict_classes(
        self, target: NDArray[Any], references: Sequence[Reference], **settings: Any
    ) -> ClassPredictions:
        """Find several classes in a target."""
        found: ClassPredictions = self._predict_classes(target, references, **settings)
        return found


def get_ready_for(
    predictor: WebPredictor, image: NDArray[Any], intensity_range: IntensityRange | None
) -> None:
    """Encode an image ahead of its prediction, where the method can."""
    prepare = getattr(predictor, "prepare", None)
    if prepare is not None:
        prepare(image, intensity_range=intensity_range)


def check_choice(choice: Choice) -> None:
    """Refuse what cannot be chosen here.

    Raises
    ------
    ConfigError
        If there is no such method or device.
    WeightsError
        If a stranger asks a Space for a model that is not in its list.
    """
    if choice.method not in (usable := method_names(choice.model)):
        raise ConfigError(
            f"The method {choice.method[:40]!r} cannot be used with {choice.model[:80]!r} here: "
            f"expected one of {', '.join(usable)}."
        )
    if choice.device not in device_names():
        raise ConfigError(
            f"The device {choice.device!r} is not here: expected one of "
            f"{', '.join(device_names())}."
        )
    if on_space() and choice.model not in {weights.name for weights in known_models()}:
        raise WeightsError(
            f"The model {choice.model[:80]!r} is not in the list of this Space. Run the app on "
            "your own computer to use any model of the Hub: vrpsam app."
        )


def known_models() -> list[KnownWeights]:
    """Return the models that are here or to be had by name, the embedded one first."""
    import hub_weights

    found = [w for w in hub_weights.list_weights() if w.kind == "model"]
    return sorted(found, key=lambda weights: weights.name != EMBEDDED)


def method_names(model: str = EMBEDDED) -> list[str]:
    """Return the methods that can be used on this computer, with a model."""
    embedded = model == EMBEDDED
    return usable_methods(embedded=embedded, sam=not embedded or _sam_here() is not None)


def device_names() -> list[str]:
    """Return the devices that seem to be on this computer; torch, which knows, takes seconds."""
    names = ["auto", "cpu"]
    if shutil.which("nvidia-smi") is not None:
        names.append("cuda")
    if (platform.system(), platform.machine()) == ("Darwin", "arm64"):
        names.append("mps")
    return names


def _make(choice: Choice, progress: DownloadCallback | None) -> WebPredictor:
    with _loading:
        from vrpsam_app.predictor import VRPSAMPredictor

    def load() -> VRPSAMPredictor:
        return VRPSAMPredictor.from_pretrained(
            choice.model, device=choice.device, store=embeddings(), progress=progress
        )

    if choice.method == DEFAULT_METHOD:
        return load()
    sources = MethodSources.of(load, sam=_sam_here(), device=choice.device, store=embeddings())
    made: WebPredictor = METHODS[choice.method](sources)
    return made


def _sam_here() -> Path | None:
    """Return the weights of a SAM on this computer, the first of the list; None without one."""
    import hub_weights

    return next(
        (w.path for w in hub_weights.list_weights() if w.kind == "sam" and w.path is not None), None
    )

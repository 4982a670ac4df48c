"""Everything that answers the same question as our model, in one table that all surfaces read.

:data:`METHODS` says of each what it is, which weights it needs, and how it is made. Making one
loads what it needs from :class:`MethodSources` and nothing else; the table itself loads nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from vrpsam_app.methods.method_sources import MethodSources

if TYPE_CHECKING:
    from vrpsam_app.methods.geometric_prompts import PromptKind
    from vrpsam_app.reference_segmenter import ReferenceSegmenter

__all__ = [
    "GUARDS",
    "METHODS",
    "PEERS",
    "SLOW",
    "Method",
    "MethodSources",
    "Need",
    "usable_methods",
]

Need = Literal["model", "model's sam", "sam", "prompts", "features", "scikit-learn"]
"""What a method cannot do without, see :attr:`Method.needs`."""


@dataclass(frozen=True, slots=True)
class Method:
    """One line of the table.

    Attributes
    ----------
    summary : what it is, in one line
    needs : "model", a trained model, the embedded one by default; "model's sam", a trained model
        whose SAM answers prompts by itself, as that of the embedded one does not; "sam", SAM's own
        weights, from a file or inside a model; "prompts", whatever answers prompts, SAM or else the
        model; "features", semantic features, from a backbone's file or else those of SAM or the
        model; "scikit-learn", the extra ``evaluate``
    build : makes it
    """

    summary: str
    needs: tuple[Need, ...]
    build: Callable[[MethodSources], ReferenceSegmenter]

    def __call__(self, sources: MethodSources) -> ReferenceSegmenter:
        """Make it, from weights that are loaded only if it asks for them."""
        return self.build(sources)


def _vrp_sam(sources: MethodSources) -> ReferenceSegmenter:
    return sources.predictor()


def _fine_detail(sources: MethodSources) -> ReferenceSegmenter:
    from vrpsam_app.methods.fine_detail import FineDetail

    return FineDetail(sources.predictor())


def _geometric(kind: PromptKind, sources: MethodSources) -> ReferenceSegmenter:
    from vrpsam_app.methods.geometric_prompts import GeometricPrompts

    return GeometricPrompts(sources.predictor(), kind)


def _pixel_method(module: str, class_name: str, _: MethodSources) -> ReferenceSegmenter:
    method: ReferenceSegmenter = getattr(import_module(f"{__name__}.{module}"), class_name)()
    return method


def _sam_method(module: str, class_name: str, sources: MethodSources) -> ReferenceSegmenter:
    build = getattr(import_module(f"{__name__}.{module}"), class_name)
    method: ReferenceSegmenter = build(sources.sam())
    return method


def _matching(sources: MethodSources) -> ReferenceSegmenter:
    from vrpsam_app.methods.matching import Matching

    return Matching(sources.maps(), sources.prompter())


def _prompt_learning(sources: MethodSources) -> ReferenceSegmenter:
    learned = sources.learned_prompts()
    if sources.has_sam:
        from vrpsam_app.methods.prompt_learning import PromptLearning

        return PromptLearning(sources.sam(), learned=learned)
    from vrpsam_app.methods.prompt_learning_model import ModelPromptLearning

    return ModelPromptLearning(sources.predictor(), learned=learned)


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "vrp_sam": Method("our model: references become visual prompts", ("model",), _vrp_sam),
        "fine_detail": Method(
            "our model, looking at parts shown larger as well: vessels, fibres; five encodings",
            ("model",),
            _fine_detail,
        ),
        "persam": Method(
            "PerSAM: likeness in SAM's features guides SAM; several objects, absence",
            ("sam",),
            partial(_sam_method, "persam", "PerSAM"),
        ),
        "persam_f": Method(
            "PerSAM with the scale of SAM's masks fitted on the references",
            ("sam",),
            partial(_sam_method, "persam_f", "PerSAMF"),
        ),
        "matching": Method(
            "features matched both ways and a fit in closed form prompt SAM; no training",
            ("features",),
            _matching,
        ),
        "prompt_learning": Method(
            "prompts adjusted by what a few pictures with their objects taught",
            ("prompts",),
            _prompt_learning,
        ),
        "sam": Method(
            "SAM itself: answers marks on the target, or finds everything in it",
            ("sam",),
            partial(_sam_method, "plain_sam", "PlainSAM"),
        ),
        "persam_paper": Method(
            "PerSAM as published, to compare with: one object, never absent",
            ("sam",),
            partial(_sam_method, "persam_paper", "PaperPerSAM"),
        ),
        "persam_f_paper": Method(
            "PerSAM-F as published, to compare with",
            ("sam",),
            partial(_sam_method, "persam_f_paper", "PaperPerSAMF"),
        ),
        "geometric_points": Method(
            "our model asked by points instead of visual prompts",
            ("model's sam",),
            partial(_geometric, "points"),
        ),
        "geometric_box": Method(
            "our model asked by a box instead of visual prompts",
            ("model's sam",),
            partial(_geometric, "box"),
        ),
        "geometric_both": Method(
            "our model asked by points and a box instead of visual prompts",
            ("model's sam",),
            partial(_geometric, "both"),
        ),
        "training_free_prior": Method(
            "closed-form classifier on fixed filters, no training",
            (),
            partial(_pixel_method, "training_free_prior", "TrainingFreePrior"),
        ),
        "pixel_forest": Method(
            "random forest on the marked pixels",
            ("scikit-learn",),
            partial(_pixel_method, "pixel_forest", "PixelForest"),
        ),
        "tuned_threshold": Method(
            "best threshold on the references",
            (),
            partial(_pixel_method, "tuned_threshold", "TunedThreshold"),
        ),
        "everything": Method(
            "guard: every pixel", (), partial(_pixel_method, "guards", "Everything")
        ),
        "nothing": Method("guard: no pixel", (), partial(_pixel_method, "guards", "Nothing")),
        "ignore_reference": Method(
            "guard: the same pixels whatever is asked",
            (),
            partial(_pixel_method, "guards", "IgnoreReference"),
        ),
    }
)
"""All methods by name, those that a person would choose first."""

PEERS = ("pixel_forest", "tuned_threshold")
"""The better of these two on a data set is *the peer*: it asks for no training and no network."""

SLOW = ("persam_f", "persam_f_paper", "pixel_forest", "prompt_learning")
"""These fit something for every question, or run decoder or filters many times: seconds each."""

GUARDS = ("everything", "nothing", "ignore_reference")
"""A test that one of these passes tests nothing."""


def usable_methods(*, embedded: bool, sam: bool) -> list[str]:
    """Return the methods that a person can choose on this computer.

    Parameters
    ----------
    embedded : whether the model is the embedded one, which has no SAM of its own that answers
        prompts by itself
    sam : whether there is, or may be, a SAM for methods that need one
    """
    forest = find_spec("sklearn") is not None
    return [
        name
        for name, method in METHODS.items()
        if name not in GUARDS
        and (forest or "scikit-learn" not in method.needs)
        and (sam or "sam" not in method.needs)
        and not (embedded and "model's sam" in method.needs)
    ]

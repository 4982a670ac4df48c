"""What every method promises, whatever it does inside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vrpsam_app.annotations import Box, Mask, Point, Scribble
from vrpsam_app.corrections import Corrections
from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.errors import AnnotationError, EmptyReferenceError, ImageError
from vrpsam_app.images import IntensityRange
from vrpsam_app.methods import GUARDS, METHODS, MethodSources, persam_f, persam_f_paper
from vrpsam_app.methods.automatic_masks import AutomaticSettings
from vrpsam_app.methods.plain_sam import PlainSAM
from vrpsam_app.methods.prompt_fit import PromptFitSettings
from vrpsam_app.methods.prompt_learning import PromptLearning
from vrpsam_app.methods.prompt_learning_model import ModelPromptLearning
from vrpsam_app.models.scale_weights import fit_scale_weights
from vrpsam_app.reference_segmenter import ReferenceSegmenter
from vrpsam_app.references import Reference


class SegmenterContract:
    """Inherited by the tests of every method; `name` is its name in the table.

    Attributes
    ----------
    follows_references, follows_corrections : whether the answer depends on them
    """

    name: str
    follows_references = True
    follows_corrections = True

    @pytest.fixture
    def build(
        self, sources: MethodSources, store: EmbeddingStore
    ) -> Callable[[], ReferenceSegmenter]:
        """Build the method anew, nothing of earlier answers in memory."""

        def build() -> ReferenceSegmenter:
            store.clear()
            return METHODS[self.name](sources)

        return build

    @pytest.fixture
    def method(self, build: Callable[[], ReferenceSegmenter]) -> ReferenceSegmenter:
        return build()

    def test_a_prediction_has_the_shapes_and_types_it_promises(self, method, scene, outlined):
        target, _ = scene(1, h=70, w=90)
        found = method.predict(target, outlined)
        assert found.mask.shape == found.probability.shape == (70, 90)
        assert found.mask.dtype == np.bool_
        assert found.probability.dtype == found.pseudo_mask.dtype == np.float32
        assert np.isfinite(found.probability).all()
        assert found.probability.min() >= 0
        assert found.probability.max() <= 1
        assert 0 <= found.score <= 1
        assert 0 <= found.presence <= 1
        assert (found.label, found.threshold) == ("light", 0.5)
        np.testing.assert_array_equal(found.mask, (found.probability > 0.5) & found.present)
        if found.instance_labels is not None:
            assert found.instance_labels.dtype == np.int32
            assert not found.instance_labels[~found.mask].any()

    def test_it_says_what_it_is(self, method, scene, outlined):
        said = method.describe()
        assert said["method"] == self.name
        assert {"model", "sha256", "device", "precision", "versions"} <= set(said)
        made_by = method.predict(scene(1)[0], outlined).made_by
        assert {**made_by, **said} == made_by
        assert "range" in made_by
        assert said["device"] == "cpu"

    def test_the_same_question_has_the_same_answer(self, method, scene, outlined, build):
        first = method.predict(scene(1)[0], outlined)
        again = method.predict(scene(1)[0].copy(), outlined)
        fresh = build().predict(scene(1)[0], outlined)
        for other in (again, fresh):
            assert first.probability.tobytes() == other.probability.tobytes()
            assert (first.score, first.presence) == (other.score, other.presence)

    def test_the_order_of_questions_does_not_matter(self, method, scene, outlined, build):
        targets = [scene(seed)[0] for seed in (1, 2)]
        forth = [method.predict(t, outlined).probability for t in targets]
        other = build()
        back = [other.predict(t, outlined).probability for t in reversed(targets)]
        np.testing.assert_array_equal(forth, back[::-1])

    @pytest.mark.parametrize("kind", ["grey", "rgba", "uint16", "float", "bool", "one row"])
    def test_any_picture_is_taken(self, method, scene, kind):
        picture, light = scene()
        picture = {
            "grey": picture[..., 0],
            "rgba": np.dstack([picture, np.full(light.shape, 255, np.uint8)]),
            "uint16": picture[..., 0].astype(np.uint16) * 150,
            "float": picture.astype(np.float32) / 255,
            "bool": picture[..., 0] > 150,
            "one row": picture[15:16],
        }[kind]
        marks = light[15:16] if kind == "one row" else light
        reference = Reference.from_mask(picture, marks, exhaustive=True)
        found = method.predict(picture, reference)
        assert found.mask.shape == picture.shape[:2]
        assert np.isfinite(found.probability).all()

    def test_constant_pictures_are_taken(self, method, scene):
        flat = np.full((40, 50), 9, np.uint8)
        flat_reference = Reference.from_annotations(flat, [Box(5, 5, 20, 20)], label="it")
        assert method.predict(flat, flat_reference).mask.shape == (40, 50)
        assert method.predict(scene()[0], flat_reference).mask.shape == (60, 80)

    def test_one_intensity_range_for_target_and_references(self, method, scene):
        picture, light = scene()
        bright = picture[..., 0].astype(np.uint16) * 200
        reference = Reference.from_mask(bright, light, exhaustive=True)
        dim = bright // 4
        own = method.predict(dim, reference).made_by["range"]
        assert own.high > dim.max()
        given = method.predict(dim, reference, intensity_range=IntensityRange(0, 99)).made_by
        assert given["range"] == IntensityRange(0, 99)

    @pytest.mark.parametrize(
        "mark",
        [Point(15, 14), Scribble(((10, 10), (18, 18)), width=4), Box(7, 5, 23, 23)],
        ids=["point", "scribble", "box"],
    )
    def test_every_kind_of_mark_is_taken(self, method, scene, mark):
        reference = Reference.from_annotations(scene()[0], [mark])
        assert method.predict(scene(1)[0], reference).mask.shape == (60, 80)

    def test_several_references_and_not_this_are_taken(self, method, scene, outlined):
        picture, light = scene(2)
        more = Reference.from_mask(picture, light, exhaustive=True, label="light")
        dark = Reference.from_annotations(
            picture, [Box(44, 56, 56, 72)], label="light"
        ).as_not_this()
        found = method.predict(scene(1)[0], [outlined, more, dark])
        assert found.mask.shape == (60, 80)

    def test_five_references_are_taken(self, method, scene):
        shown = [
            Reference.from_mask(*scene(seed), exhaustive=True, label="light") for seed in range(5)
        ]
        found = method.predict(scene(5)[0], shown)
        assert found.mask.shape == (60, 80)
        assert np.isfinite(found.probability).all()

    def test_an_object_that_is_absent_has_no_mask_at_any_threshold(self, method, scene, outlined):
        empty = np.random.default_rng(9).integers(90, 120, (60, 80, 3)).astype(np.uint8)
        found = method.predict(empty, outlined)
        assert 0 <= found.presence <= 1
        for cut in (found, found.at_threshold(0.0)):
            assert found.present or not cut.mask.any()
            assert found.present or not np.any(cut.instance_labels)

    def test_references_without_an_object_or_of_two_labels_are_refused(self, method, outlined):
        target = np.zeros((20, 20), np.uint8)
        with pytest.raises(EmptyReferenceError, match="No reference"):
            method.predict(target, [])
        with pytest.raises(EmptyReferenceError, match="not this"):
            method.predict(target, outlined.as_not_this())
        other = Reference.from_mask(outlined.image, outlined.positive, label="other")
        with pytest.raises(AnnotationError, match="predict_classes"):
            method.predict(target, [outlined, other])

    def test_a_stack_is_refused(self, method, outlined):
        with pytest.raises(ImageError, match="predict_stack"):
            method.predict(np.zeros((9, 20, 20), np.uint8), outlined)

    def test_what_is_given_stays_as_it_is(self, method, scene):
        target, (picture, light) = scene(1)[0], scene()
        reference = Reference.from_mask(picture, light)
        copies = target.copy(), picture.copy(), light.copy()
        method.predict(target, reference)
        for given, copy in zip((target, picture, light), copies, strict=True):
            np.testing.assert_array_equal(given, copy)

    def test_classes_compete(self, method, scene, outlined):
        picture, light = scene()
        ground = Reference.from_mask(picture, ~light, exhaustive=True, label="ground")
        both = method.predict_classes(scene(1)[0], [outlined, ground])
        assert both.names == ("light", "ground")
        assert both.labels.dtype == np.int32
        first, second = (both.predictions[n].mask for n in both.names)
        assert not (first & second).any()
        np.testing.assert_array_equal(both.labels, first + 2 * second.astype(np.int32))
        for found in both.predictions.values():
            assert found.instance_labels is None or not found.instance_labels[~found.mask].any()

    def test_corrections_are_taken(self, method, scene, outlined):
        target, light = scene(1)
        marks = Corrections((Point(50, 64), Mask(~light), Mask(light, positive=False)))
        found = method.predict(target, outlined, corrections=marks)
        assert found.mask.shape == (60, 80)
        if self.follows_corrections:
            without = method.predict(target, outlined)
            assert not np.array_equal(found.probability, without.probability)

    def test_the_answer_follows_the_reference_or_never_does(self, method, scene, outlined):
        picture, light = scene()
        ground = Reference.from_mask(picture, ~light, exhaustive=True, label="light")
        answers = [method.predict(scene(1)[0], r).probability for r in (outlined, ground)]
        assert np.array_equal(*answers) != self.follows_references

    def test_the_threshold_cuts_the_probability(self, method, scene, outlined):
        found = method.predict(scene(1)[0], outlined, threshold=0.9)
        assert found.threshold == 0.9
        np.testing.assert_array_equal(found.mask, (found.probability > 0.9) & found.present)


class TestVRPSAM(SegmenterContract):
    name = "vrp_sam"


class TestFineDetail(SegmenterContract):
    name = "fine_detail"


class OnAPaperModel:
    """Mixed in where a method needs a model whose SAM answers prompts by itself."""

    @pytest.fixture
    def sources(self, paper_predictor) -> MethodSources:
        return MethodSources(lambda: paper_predictor)


class TestGeometricPoints(OnAPaperModel, SegmenterContract):
    name = "geometric_points"


class TestGeometricBox(OnAPaperModel, SegmenterContract):
    name = "geometric_box"


class TestGeometricBoth(OnAPaperModel, SegmenterContract):
    name = "geometric_both"


class TestTrainingFreePrior(SegmenterContract):
    name = "training_free_prior"


class TestPixelForest(SegmenterContract):
    name = "pixel_forest"


class TestTunedThreshold(SegmenterContract):
    name = "tuned_threshold"


class TestPerSAM(SegmenterContract):
    name = "persam"


class TestPaperPerSAM(SegmenterContract):
    name = "persam_paper"


class TestPerSAMF(SegmenterContract):
    name = "persam_f"

    @pytest.fixture(autouse=True)
    def few_steps(self, monkeypatch: pytest.MonkeyPatch):
        def few(logits, truth, *, steps):
            return fit_scale_weights(logits, truth, steps=min(steps, 5))

        monkeypatch.setattr(persam_f, "fit_scale_weights", few)


class TestPaperPerSAMF(SegmenterContract):
    name = "persam_f_paper"

    @pytest.fixture(autouse=True)
    def few_steps(self, monkeypatch: pytest.MonkeyPatch):
        def few(logits, truth, *, steps):
            return fit_scale_weights(logits, truth, steps=min(steps, 5))

        monkeypatch.setattr(persam_f_paper, "fit_scale_weights", few)


class TestMatching(SegmenterContract):
    name = "matching"


class TestMatchingOnTheModel(SegmenterContract):
    """Without a SAM of one's own: the model's features, and the model's answers."""

    name = "matching"

    @pytest.fixture
    def sources(self, small_predictor) -> MethodSources:
        return MethodSources(lambda: small_predictor)


class TestPromptLearning(SegmenterContract):
    name = "prompt_learning"

    @pytest.fixture(autouse=True)
    def few_steps(self, monkeypatch: pytest.MonkeyPatch):
        few = PromptFitSettings(steps=3, prompts=2)
        monkeypatch.setitem(PromptLearning.__init__.__kwdefaults__, "fit_settings", few)


class TestPromptLearningOnTheModel(SegmenterContract):
    """Without a SAM of one's own: the model's decoder, its prior and a map."""

    name = "prompt_learning"

    @pytest.fixture
    def sources(self, small_predictor) -> MethodSources:
        return MethodSources(lambda: small_predictor)

    @pytest.fixture(autouse=True)
    def few_steps(self, monkeypatch: pytest.MonkeyPatch):
        few = PromptFitSettings(steps=3, prompts=2)
        monkeypatch.setitem(ModelPromptLearning.__init__.__kwdefaults__, "fit_settings", few)


class TestPlainSAM(SegmenterContract):
    name = "sam"
    follows_references = False

    @pytest.fixture(autouse=True)
    def few_clicks(self, monkeypatch: pytest.MonkeyPatch):
        # Weights that mean nothing are sure of nothing.
        easy = AutomaticSettings(points_per_side=4, least_score=-9, least_stability=0.2)
        monkeypatch.setitem(PlainSAM.__init__.__kwdefaults__, "settings", easy)


class TestEverything(SegmenterContract):
    name = "everything"
    follows_references = follows_corrections = False


class TestNothing(SegmenterContract):
    name = "nothing"
    follows_references = follows_corrections = False


class TestIgnoreReference(SegmenterContract):
    name = "ignore_reference"
    follows_references = follows_corrections = False


def test_every_method_of_the_table_keeps_the_contract():
    tested = {
        c.name: c.follows_references or c.follows_corrections
        for c in SegmenterContract.__subclasses__()
    }
    assert set(tested) == set(METHODS)
    assert {name for name, follows in tested.items() if not follows} == set(GUARDS)

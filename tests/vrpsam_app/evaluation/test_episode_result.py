from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from vrpsam_app.errors import ConfigError, ImageError
from vrpsam_app.evaluation.episode_reader import Question
from vrpsam_app.evaluation.episode_result import Asked, EpisodeResult, measure
from vrpsam_app.evaluation.object_scores import ObjectScores
from vrpsam_app.evaluation.summary import Summary
from vrpsam_app.segmenter import Prediction

HW = (40, 50)
ASKED = Asked("k", "vrp_sam", "cells", "cell", "p0", 0, False, "click", 1)


def question(seed: int, *, objects: bool = True) -> Question:
    numbered = np.zeros(HW, np.int32)
    numbered[5:15, 5:15], numbered[20:30, 20:40] = 1, 2
    ignored = np.zeros(HW, bool)
    ignored[:, : 7 + seed] = True
    target = np.zeros((*HW, 3), np.uint8)
    return Question((), target, numbered > 0, ignored, numbered if objects else None)


def answer(mask: np.ndarray, *, present: bool = True) -> Prediction:
    probability = mask.astype(np.float32)
    return Prediction(
        mask & present, probability, 0.25, 0.75, present, probability, "cell", {"method": "test"}
    )


def figures_of(asked: Question, prediction: Prediction):
    return measure(asked, prediction, seconds=2.0, fresh=True, peak_bytes=9)


def test_pixels_that_nobody_knows_do_not_count():
    asked = question(0)
    exact = figures_of(asked, answer(asked.truth ^ asked.ignored))
    assert exact.iou == 1.0
    assert exact.background_intersection == exact.background_union
    assert exact.ungated_iou == 1.0
    assert exact.found_share == pytest.approx(asked.truth[~asked.ignored].mean())


def test_objects_are_counted_where_there_are_some():
    asked = question(0)
    found = figures_of(asked, answer(asked.objects == 2))
    assert found.objects == ObjectScores(matched=1, found=1, true=2)
    assert figures_of(question(0, objects=False), answer(asked.truth)).objects is None


def test_objects_that_a_method_told_apart_may_touch():
    asked = question(0)
    numbered = np.zeros(HW, np.int32)
    numbered[20:30, 20:30], numbered[20:30, 30:40] = 1, 2
    joined = answer(numbered > 0)
    assert figures_of(asked, joined).objects == ObjectScores(matched=1, found=1, true=2)
    apart = replace(joined, instance_labels=numbered)
    assert figures_of(asked, apart).objects == ObjectScores(matched=0, found=2, true=2)


def test_the_gate_is_told_from_the_mask():
    asked = question(1)
    gated = figures_of(asked, answer(asked.truth, present=False))
    assert (gated.iou, gated.ungated_iou, gated.found_share) == (0.0, 1.0, 0.0)
    assert (gated.score, gated.presence, gated.seconds, gated.peak_bytes) == (0.25, 0.75, 2.0, 9)


def test_sums_over_episodes_agree_with_an_independent_library():
    rng = np.random.default_rng(5)
    results, known = [], {"a": ([], []), "b": ([], [])}
    for index in range(6):
        asked, found = question(index), rng.random(HW) < 0.4
        label = "ab"[index % 2]
        for values, mask in zip(known[label], (asked.truth, found), strict=True):
            values.append(mask[~asked.ignored])
        which = Asked(str(index), "vrp_sam", "cells", label, "p", index, False, "click", 1)
        results.append(EpisodeResult(which, figures_of(asked, answer(found))))
    (cell,) = Summary.of(results).cells
    pairs = [tuple(np.concatenate(part) for part in pair) for pair in known.values()]
    assert cell.class_iou == pytest.approx(np.mean([jaccard_score(*pair) for pair in pairs]))
    everything = [np.concatenate(part) for part in zip(*pairs, strict=True)]
    front_and_back = [jaccard_score(*everything, pos_label=side) for side in (True, False)]
    assert cell.fb_iou == pytest.approx(np.mean(front_and_back))


def test_a_mask_of_another_size_is_refused():
    with pytest.raises((ImageError, ValueError)):
        figures_of(question(0), answer(np.zeros((3, 3), bool)))


@pytest.mark.parametrize("objects", [True, False])
def test_results_are_read_as_they_were_written(objects: bool):
    asked = question(2, objects=objects)
    result = EpisodeResult(ASKED, figures_of(asked, answer(asked.truth)))
    assert EpisodeResult.from_json(json.loads(json.dumps(result.to_json()))) == result
    failed = EpisodeResult(ASKED, None, "broken")
    assert EpisodeResult.from_json(json.loads(json.dumps(failed.to_json()))) == failed


@pytest.mark.parametrize(
    "data", [None, [], {"asked": {}}, {"asked": {}, "figures": {}, "error": ""}]
)
def test_other_lines_are_refused(data: object):
    with pytest.raises(ConfigError, match="no result of an episode"):
        EpisodeResult.from_json(data)

"""What is suggested where the embedded model is unsure, and where it is not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

import hub_weights
from vrpsam_app.methods import METHODS
from vrpsam_app.methods.suggestion import FEATURES, SAM, Suggestion, suggestion_for

MADE_BY = {"method": "vrp_sam", "model": "embedded"}


def said(*scores: float | None) -> list[Any]:
    """Return verdicts; None is not there."""
    return [SimpleNamespace(present=s is not None, score=s or 0.0) for s in scores]


@pytest.fixture
def on_the_hub(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """List what the registry knows as if nothing of it was on this computer."""
    known = [
        replace(w, state="on the Hub") if w.state in ("here", "cached") else w
        for w in hub_weights.list_weights()
    ]
    monkeypatch.setattr("hub_weights.list_weights", lambda: tuple(known))
    return known


@pytest.mark.parametrize(
    ("verdicts", "made_by"),
    [
        (said(0.9, 0.7, 0.2), MADE_BY),
        (said(0.8, None, None), MADE_BY),
        ([], MADE_BY),
        (said(0.1), {**MADE_BY, "method": "matching"}),
        (said(0.1), {**MADE_BY, "model": "my_model"}),
    ],
)
def test_who_is_sure_or_unknown_gets_no_advice(verdicts, made_by, on_the_hub):
    assert suggestion_for(verdicts, made_by) is None


@pytest.mark.parametrize("verdicts", [said(0.1, 0.4, 0.9), said(None, None)])
def test_who_is_unsure_hears_what_it_takes(verdicts, on_the_hub):
    found = suggestion_for(iter(verdicts), MADE_BY)
    sizes = {w.name: w.size for w in on_the_hub}
    assert found == Suggestion(SAM, FEATURES, sizes[SAM] + sizes[FEATURES])
    assert "MB to download)." in str(found)
    assert found.options == f"--method matching --sam {SAM} --features {FEATURES}"
    assert "matching" in METHODS


def test_weights_that_are_here_come_first(on_the_hub):
    other = next(w.name for w in on_the_hub if w.kind == "sam" and w.name != SAM)
    for i, weights in enumerate(on_the_hub):
        if weights.name in (other, FEATURES):
            on_the_hub[i] = replace(weights, state="cached")
    hub_weights_now = tuple(on_the_hub)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hub_weights.list_weights", lambda: hub_weights_now)
        found = suggestion_for(said(0.1), MADE_BY)
    assert found == Suggestion(other, FEATURES, 0)
    assert "on this computer" in str(found)

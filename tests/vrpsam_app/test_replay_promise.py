"""Which promise a replay makes: bytes, nearly equal masks, or none."""

from __future__ import annotations

from typing import Any

import pytest

from vrpsam_app.replay_promise import differing_keys, replay_promise

MADE_BY: dict[str, Any] = {
    "method": "vrp_sam",
    "model": "embedded",
    "sha256": "ab" * 32,
    "device": "cpu",
    "precision": "fp32",
    "versions": {"vrpsam_app": "0.1.0", "torch": "2.13.0"},
}
ENVIRONMENT = {"code": "0.1.0+12", "machine": "x86_64 Abacus", "threads": 2}


def promised(environment: Any = None, **changes: Any) -> str:
    now = {**MADE_BY, **changes}
    return replay_promise(MADE_BY, ENVIRONMENT, now, {**ENVIRONMENT, **(environment or {})})


def test_all_the_same():
    assert "equal masks, byte for byte" in promised()


@pytest.mark.parametrize(
    ("environment", "changes", "named"),
    [
        ({}, {"device": "cuda"}, "device"),
        ({}, {"versions": {"vrpsam_app": "0.1.0", "torch": "2.14.0"}}, "versions.torch"),
        ({"threads": 4}, {}, "threads"),
        ({"machine": "arm64"}, {"device": "mps"}, "device, machine"),
    ],
)
def test_rounded_differently(environment: Any, changes: Any, named: str):
    assert f"another {named}: up to 0.01 %" in promised(environment, **changes)


@pytest.mark.parametrize(
    ("environment", "changes", "named"),
    [
        ({"code": "0.1.0+13"}, {"device": "cuda"}, "code"),
        ({}, {"precision": "bf16"}, "precision"),
        ({}, {"versions": {"vrpsam_app": "0.2.0"}}, "versions.vrpsam_app"),
    ],
)
def test_another_program(environment: Any, changes: Any, named: str):
    said = promised(environment, **changes)
    assert f"another {named}: the program has changed" in said


def test_another_model_is_said_first():
    assert "another model than 'embedded'" in promised({"code": "2"}, sha256="cd" * 32)
    assert "masks will differ" in promised(method="persam")


def test_older_recipe_promises_no_more_than_it_knows():
    said = replay_promise(MADE_BY, {}, MADE_BY, ENVIRONMENT)
    assert "does not say which code and machine" in said
    assert "another device" in replay_promise(MADE_BY, {}, {**MADE_BY, "device": "mps"}, {})


def test_keys_that_differ():
    assert differing_keys({"a": 1, "b": {"c": 1}}, {"b": {"c": 2}, "d": 3}) == ["a", "b.c", "d"]

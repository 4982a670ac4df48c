"""Options of the model: precision by name, by recipe, by default."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from vrpsam_app.cli import segment
from vrpsam_app.cli.method_options import (
    add_method_options,
    add_model_options,
    build_method,
    check_weights_used,
    precision_of,
)
from vrpsam_app.errors import ConfigError
from vrpsam_app.precision import PRECISIONS
from vrpsam_app.predictor import VRPSAMPredictor


def parsed(*typed: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_model_options(parser, default="embedded")
    return parser.parse_args(typed)


def test_a_precision_is_what_was_typed_else_recorded_else_auto() -> None:
    assert precision_of(parsed("--precision", "fp32"), {"precision": "bf16"}) == "fp32"
    assert precision_of(parsed(), {"precision": "bf16"}) == "bf16"
    assert precision_of(parsed(), {"precision": "of a later release"}) == "auto"
    assert precision_of(parsed()) == "auto"


def test_the_command_line_knows_the_precisions_of_the_library() -> None:
    for name in PRECISIONS:
        assert parsed("--precision", name).precision == name
    with pytest.raises(SystemExit):
        parsed("--precision", "fp16")


def test_they_reach_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(
        VRPSAMPredictor, "from_pretrained", lambda name, **settings: given.update(settings)
    )
    segment.load_predictor("embedded", "cpu", None, "bf16", compiled=True)
    assert (given["device"], given["precision"], given["compiled"]) == ("cpu", "bf16", True)


def with_method(*typed: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_model_options(parser, default="embedded")
    add_method_options(parser)
    return parser.parse_args(typed)


@pytest.mark.parametrize(
    ("typed", "recorded", "message"),
    [
        (("--sam", "sam_vit_b"), None, "--sam is for persam.*: vrp_sam would not use it"),
        (("--sam", "a.pth", "--method", "pixel_forest"), None, "pixel_forest would not use it"),
        (("--prompts", "learned"), {"method": "persam"}, "for prompt_learning: persam would not"),
        (("--features", "b.pth", "--method", "sam"), None, "--features is for matching: sam"),
    ],
)
def test_weights_that_a_method_would_not_use_are_refused(
    typed: tuple[str, ...], recorded: dict[str, Any] | None, message: str
) -> None:
    def never() -> VRPSAMPredictor:
        raise AssertionError("the model was loaded")

    with pytest.raises(ConfigError, match=message):
        build_method(with_method(*typed), never, recorded)


def test_weights_that_one_of_several_methods_uses_are_taken() -> None:
    everything = with_method("--sam", "a", "--features", "b", "--prompts", "c")
    check_weights_used(everything, ["vrp_sam", "matching", "prompt_learning"])
    with pytest.raises(ConfigError, match="vrp_sam, persam would not use it"):
        check_weights_used(everything, ["vrp_sam", "persam"])

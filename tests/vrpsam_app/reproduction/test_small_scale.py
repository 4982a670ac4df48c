"""Sizes of the small scale go together."""

from __future__ import annotations

import pytest

from vrpsam_app.errors import ConfigError
from vrpsam_app.models.build import build_model
from vrpsam_app.reproduction.experiments import Variant
from vrpsam_app.reproduction.small_scale import SmallScale, digest


@pytest.mark.parametrize("size", [32, 72, 0, -64])
def test_size_has_to_fit_the_grid(size: int) -> None:
    with pytest.raises(ConfigError, match=f"size is {size}: expected a multiple of 16 from 64"):
        SmallScale(size=size)


@pytest.mark.parametrize("name", ["sam_steps", "backbone_steps", "steps", "groups", "batch"])
def test_numbers_are_positive(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is 0"):
        SmallScale(**{name: 0})


def test_a_variant_becomes_a_model_that_can_be_built() -> None:
    variant = Variant(benchmark="coco20i", backbone="vgg16", num_queries=7, query_init="half")
    config = SmallScale(size=64).model(variant)
    assert config.vrp_encoder.semantic_encoder == "small_vgg"
    assert (config.vrp_encoder.num_queries, config.vrp_encoder.query_init) == (7, "half")
    model = build_model(config)
    assert model.output_hw((64, 64)) == (32, 32)


def test_nothing_stands_for_dinov2() -> None:
    with pytest.raises(ConfigError, match="Nothing stands for dinov2"):
        SmallScale().model(Variant(benchmark="coco20i", backbone="dinov2"))


def test_hashes_tell_contents_apart() -> None:
    one, other = Variant(benchmark="coco20i"), Variant(benchmark="pascal5i")
    assert digest(one) == digest(Variant(benchmark="coco20i"))
    assert digest(one) != digest(other)
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    with pytest.raises(TypeError, match="no place in a hash"):
        digest({"folder": object()})

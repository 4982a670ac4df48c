"""Precisions by name and by what the machine can do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from vrpsam_app import precision
from vrpsam_app.config import EMBEDDED_CONFIG, SAM_TINY, SAM_VIT_B, SAM_VIT_H
from vrpsam_app.errors import ConfigError, DeviceError
from vrpsam_app.precision import choose_precision, computing_in, has_bf16

CPU = torch.device("cpu")


@pytest.fixture
def processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A processor that is described in this file."""
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(precision, "_CPU_INFO", path)
    precision._cpu_has_bf16.cache_clear()
    yield path
    precision._cpu_has_bf16.cache_clear()


@pytest.mark.parametrize(
    ("said", "has"),
    [
        ("flags\t\t: fpu sse avx2 avx512f avx512_bf16 amx_tile\n", True),
        ("Features\t: fp asimd bf16\n", True),
        ("flags\t\t: fpu sse avx2 avx512f\nbugs: bf16\n", False),
        ("model name : a processor with bf16\n", False),
        (None, False),
    ],
)
def test_a_processor_has_bf16_if_it_says_so(processor: Path, said: str | None, has: bool) -> None:
    if said is not None:
        processor.write_text(said, encoding="utf-8")
    assert has_bf16(CPU) is has
    assert choose_precision("auto", CPU, SAM_VIT_B) == ("bf16" if has else "fp32")


def test_auto_leaves_what_is_quick_in_fp32(processor: Path) -> None:
    processor.write_text("flags : avx512_bf16\n", encoding="utf-8")
    assert choose_precision("auto", CPU, SAM_VIT_H) == "bf16"
    assert choose_precision("auto", CPU, SAM_TINY) == "fp32"
    assert choose_precision("auto", CPU, EMBEDDED_CONFIG.sam) == "fp32"
    assert choose_precision("auto", torch.device("mps"), SAM_VIT_H) == "fp32"


@pytest.mark.parametrize(("capability", "chosen"), [((7, 5), "fp32"), ((8, 0), "bf16")])
def test_a_graphics_card_has_bf16_from_its_generation_on(
    capability: tuple[int, int], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_precision("auto", torch.device("cuda"), SAM_VIT_B) == chosen


def test_what_is_asked_for_by_name_is_taken() -> None:
    assert choose_precision("bf16", CPU, EMBEDDED_CONFIG.sam) == "bf16"
    assert choose_precision("fp32", CPU, SAM_VIT_H) == "fp32"


def test_nonsense_is_explained() -> None:
    with pytest.raises(ConfigError, match="expected one of auto, fp32, bf16"):
        choose_precision("fp16", CPU, SAM_VIT_B)
    with pytest.raises(DeviceError, match="Use fp32 or auto"):
        choose_precision("bf16", torch.device("mps"), replace(SAM_VIT_B))


def test_only_multiplications_change() -> None:
    layer, values = torch.nn.Linear(8, 8), torch.randn(2, 8)
    with torch.inference_mode(), computing_in("bf16", CPU):
        assert layer(values).dtype == torch.bfloat16
    with torch.inference_mode(), computing_in("fp32", CPU):
        assert layer(values).dtype == torch.float32

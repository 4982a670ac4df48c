"""Devices by name."""

from __future__ import annotations

import pytest

from vrpsam_app.devices import choose_device
from vrpsam_app.errors import DeviceError


def test_auto_is_a_device_that_is_there() -> None:
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    assert choose_device("cpu").type == "cpu"


def test_nonsense_is_explained() -> None:
    for name in ("toaster", None):
        with pytest.raises(DeviceError, match=f"{name!r} is no device: expected auto, cpu"):
            choose_device(name)  # type: ignore[arg-type]


def test_a_device_that_is_not_there_is_explained() -> None:
    with pytest.raises(DeviceError, match="not available"):
        choose_device("cuda:99")

"""Which processor to run on: ``auto`` picks CUDA, then Apple's GPU, then the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vrpsam_app.errors import DeviceError

if TYPE_CHECKING:
    import torch


def choose_device(name: str = "auto") -> torch.device:
    """Turn a device's name into a device that is there.

    Parameters
    ----------
    name : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps`` ...

    Raises
    ------
    DeviceError
        If the name means nothing, or the device is not there.
    """
    import torch

    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise DeviceError(
            f"{name!r} is no device: expected auto, cpu, cuda, cuda:0 or mps."
        ) from error
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(device.type, False):
        raise DeviceError(
            f"The device {name!r} is not available on this machine: expected one of "
            f"{', '.join(k for k, v in there.items() if v)}. Use --device auto to take the best."
        )
    return device

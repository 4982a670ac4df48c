"""Which numbers pictures are encoded in: bf16 where the processor or graphics card has it.

Only the image encoders are concerned, where nearly all the time goes; references, prompts, the
closed-form prior and the masks are always computed in fp32. fp16 is never computed in: it overflows
in ViT-H.

``auto`` takes bf16 for SAM's own transformers where it is native, else fp32. The embedded model is
quick as it is, and its results should not depend on the age of a processor: it takes bf16 only by
name. That bf16 may be asked for at all, ``benchmarks/precisions.py`` decides: it asks the embedded
model a fixed set of questions both ways, and fails where the masks agree less than the limits here.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from vrpsam_app.errors import ConfigError, DeviceError

if TYPE_CHECKING:
    import torch

    from vrpsam_app.config import SAMConfig

Precision = Literal["fp32", "bf16"]
PRECISIONS = ("auto", *get_args(Precision))

LEAST_AGREEMENT = 0.99
"""Mean IoU of masks with those of fp32 below which another precision would not be offered."""
MOST_LOSS = 0.005
"""Mean IoU with the truth that it may cost."""
LEAST_WIDTH = 768
"""Channels of a transformer, ViT-B's, from which on ``auto`` cares; smaller ones are quick."""

_AMPERE = (8, 0)  # the first CUDA devices that multiply bf16
_CPU_INFO = Path("/proc/cpuinfo")
# As Linux names them: x86 by AVX-512 or AMX, Arm by its own extension.
_CPU_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})


def choose_precision(name: str, device: torch.device, config: SAMConfig) -> Precision:
    """Turn a name into the precision that a model is run in.

    Parameters
    ----------
    name : ``auto``, ``fp32`` or ``bf16``
    device : on which it runs
    config : of the model's SAM

    Raises
    ------
    ConfigError
        If there is no such precision.
    DeviceError
        If bf16 is asked for by name on a device where nobody has tried it.
    """
    if name not in PRECISIONS:
        raise ConfigError(f"Precision is {name!r}: expected one of {', '.join(PRECISIONS)}.")
    if name == "bf16" and device.type not in ("cpu", "cuda"):
        raise DeviceError(
            f"bf16 was not tried on the device {device}: expected cpu or cuda. Use fp32 or auto."
        )
    if name == "auto":
        large = config.image_encoder == "vit" and config.width >= LEAST_WIDTH
        return "bf16" if large and has_bf16(device) else "fp32"
    return "bf16" if name == "bf16" else "fp32"


def has_bf16(device: torch.device) -> bool:
    """Tell whether a device computes in bf16 by itself, and not by way of fp32."""
    if device.type == "cuda":
        import torch

        return torch.cuda.get_device_capability(device) >= _AMPERE
    return device.type == "cpu" and _cpu_has_bf16()


@cache
def _cpu_has_bf16() -> bool:
    """Look at what the system says of its processor; where it says nothing, there is no bf16."""
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() in ("flags", "features"):
            return bool(_CPU_FLAGS & set(value.split()))
    return False


def computing_in(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which layers multiply in a precision; sums along the way stay in fp32."""
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")

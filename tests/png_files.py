"""PNGs of depths that Pillow does not write."""

from __future__ import annotations

import struct
import zlib
from math import prod

import numpy as np

_COLOUR_TYPES = {(): 0, (3,): 2, (2,): 4, (4,): 6}


def png_bytes(pixels: np.ndarray, depth: int, *, chunks: bytes = b"") -> bytes:
    """Return a PNG whose rows go through all filters in turn.

    Parameters
    ----------
    pixels : shape (H, W), (H, W, 2), (H, W, 3) or (H, W, 4)
    depth : bits of each number, 2, 4 or 16
    chunks : what stands before the pixels, from :func:`png_chunk`
    """
    samples = pixels.shape[2:]
    if depth == 16:
        rows = pixels.astype(">u2").reshape(len(pixels), -1).view(np.uint8)
    else:
        bits = np.unpackbits(pixels.astype(np.uint8)[..., None], axis=-1)[..., -depth:]
        rows = np.packbits(bits.reshape(len(pixels), -1), axis=1)
    step = max(depth * prod(samples) // 8, 1)
    height, width = pixels.shape[:2]
    head = struct.pack(">IIBBBBB", width, height, depth, _COLOUR_TYPES[samples], 0, 0, 0)
    data = zlib.compress(_filtered(rows, step))
    parts = (png_chunk(b"IHDR", head), chunks, png_chunk(b"IDAT", data), png_chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Return one part of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _filtered(rows: np.ndarray, step: int) -> bytes:
    """Return rows as differences from their neighbours, as filters 0 to 4 of PNG have them."""
    here = np.pad(rows.astype(np.int64), ((1, 0), (step, 0)))
    now, left = here[1:, step:], here[1:, :-step]
    up, corner = here[:-1, step:], here[:-1, :-step]
    near = np.abs(np.stack([up - corner, left - corner, left + up - 2 * corner]))
    nearest = np.choose(near.argmin(0), [left, up, corner])
    guesses = (now * 0, left, up, (left + up) // 2, nearest)
    data = b""
    for index, row in enumerate(now):
        kind = index % 5
        data += bytes([kind]) + ((row - guesses[kind][index]) % 256).astype(np.uint8).tobytes()
    return data

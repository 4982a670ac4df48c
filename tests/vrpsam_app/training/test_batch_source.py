"""Batches made elsewhere: whole, in order, or one sentence about what cannot be read."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from vrpsam_app.errors import ImageError
from vrpsam_app.training.batch_source import stream_batches


@dataclass(frozen=True)
class Numbers:
    """A plan whose batches are their numbers, up to one that cannot be made."""

    broken: int

    def batch(self, step: int) -> int:
        if step >= self.broken:
            raise ImageError(f"picture {step} is broken: mend it.")
        return step


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_comes_as_its_sentence_from_whichever_process(workers: int) -> None:
    stream = stream_batches(Numbers(5), 2, workers=workers)
    assert [next(stream) for _ in range(3)] == [2, 3, 4]
    with pytest.raises(ImageError, match=r"^picture 5 is broken: mend it\.$"):
        next(stream)

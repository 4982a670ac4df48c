"""The presence threshold loses as few present objects as it was told to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from vrpsam_app.training import calibration
from vrpsam_app.training.batch_source import SyntheticGroups
from vrpsam_app.training.calibration import calibration_batches, presence_threshold


class Fixed:
    """Stands for a model that gives each episode a presence from a list."""

    def __init__(self, presences: list[float]) -> None:
        self.presences = iter(presences)

    def parameters(self) -> Iterator[torch.Tensor]:
        return iter([torch.zeros(1)])


class Flags(list):
    """A batch that can be moved."""

    def to(self, device: object) -> Flags:
        return self


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let batches be lists of flags, answered with right masks and a `Fixed`'s presences."""

    def run(model: Fixed, batch: list[float]) -> object:
        class Episodes:
            present = torch.tensor(batch)
            truth = torch.ones(len(batch), 1, 4, 4)
            known = None

        class Output:
            presence = torch.tensor([next(model.presences) for _ in batch])
            mask_logits = torch.ones(len(batch), 1, 4, 4)

        yield Episodes, Output

    monkeypatch.setattr(calibration, "run_batch", run)


@pytest.mark.usefixtures("answered")
@pytest.mark.parametrize(
    ("presences", "expected"),
    [([0.1, 0.2, 0.3, 0.4, 0.9], 0.2), ([0.7, 0.8, 0.9, 0.95, 0.99], 0.5)],
)
def test_a_quarter_may_be_lost_but_never_above_one_half(
    presences: list[float], expected: float
) -> None:
    batches = [Flags([1.0, 1.0, 1.0]), Flags([1.0, 1.0])]
    assert presence_threshold(Fixed(presences), batches, cost=0.25) == pytest.approx(expected)


@pytest.mark.usefixtures("answered")
def test_absent_objects_do_not_count() -> None:
    batches = [Flags([1.0, 0.0])]
    assert presence_threshold(Fixed([0.4, 0.01]), batches) == pytest.approx(0.4)


def test_the_episodes_are_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "BATCHES", 3)
    first, second = (calibration_batches(SyntheticGroups(), size=64) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a.images, b.images)
    present = torch.cat([s.present for batch in first for s in batch.sets])
    assert 0 < float(present.mean()) < 1

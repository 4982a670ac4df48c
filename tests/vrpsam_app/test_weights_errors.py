"""Errors of weights as files become the product's, with their cause and their words."""

from __future__ import annotations

import pytest

import hub_weights
from vrpsam_app.errors import ChecksumMismatchError, WeightsError
from vrpsam_app.weights_errors import weights_errors


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (hub_weights.ChecksumMismatchError, ChecksumMismatchError),
        (hub_weights.HubUnreachableError, WeightsError),
        (hub_weights.UnsafeNameError, WeightsError),
        (hub_weights.WeightsAccessError, WeightsError),
        (hub_weights.PublishError, WeightsError),
    ],
)
def test_the_words_and_the_cause_stay(
    raised: type[Exception], expected: type[WeightsError]
) -> None:
    with pytest.raises(expected, match="what came, what to do") as caught, weights_errors():
        raise raised("what came, what to do")
    assert type(caught.value) is expected
    assert type(caught.value.__cause__) is raised


def test_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), weights_errors():
        raise ZeroDivisionError

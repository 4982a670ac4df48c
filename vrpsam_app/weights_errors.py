"""What goes wrong with weights as files, as this package's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vrpsam_app.errors import ChecksumMismatchError, WeightsError


@contextmanager
def weights_errors() -> Iterator[None]:
    """Turn the errors of :mod:`hub_weights` into this package's; their messages stay.

    Raises
    ------
    ChecksumMismatchError
        If the bytes are not the recorded ones.
    WeightsError
        Whatever else goes wrong.
    """
    import hub_weights

    try:
        yield
    except hub_weights.ChecksumMismatchError as error:
        raise ChecksumMismatchError(str(error)) from error
    except hub_weights.HubWeightsError as error:
        raise WeightsError(str(error)) from error

"""The errors this package raises, as one tree.

::

    VRPSAMError
    |-- AnnotationError (ValueError)        a point, box, scribble or mask that cannot be used
    |   `-- EmptyReferenceError             a reference on which nothing is marked
    |-- ImageError (ValueError)             an array that is not an image this package can read
    |-- ImageFileError (OSError)            a file that is missing, damaged, too large or no image
    |-- ObjectFileError (OSError)           a file of objects that is damaged or does not fit
    |-- OutputError (OSError)               a result that cannot be written where it was asked
    |-- ConfigError (ValueError)            a setting or a model configuration that makes no sense
    |-- DeviceError (RuntimeError)          a device that is not there or ran out of memory
    |-- WeightsError (RuntimeError)         weights that cannot be found, trusted or loaded
    |   |-- ChecksumMismatchError           the file is not the one that was published
    |   `-- WeightsMismatchError            the file belongs to another model
    |-- BusyError (RuntimeError)            too many people wait for the same model
    |-- Cancelled                           a person stopped the work; what is finished is kept
    `-- MissingExtraError (ImportError)     an optional dependency that is not installed

Every message says what came, what was expected and what to do, so a surface can show it as it is::

    try:
        prediction = predictor.predict(target, reference)
    except VRPSAMError as error:
        print(error)
"""

from __future__ import annotations


class VRPSAMError(Exception):
    """Base of every error this package raises on purpose."""


class AnnotationError(VRPSAMError, ValueError):
    """A mark cannot be used: wrong type, not finite, upside down, or outside the image."""


class EmptyReferenceError(AnnotationError):
    """A reference has no marks, or its negative marks cover all positive ones."""


class ImageError(VRPSAMError, ValueError):
    """An array has a shape, type or content that is not an image."""


class ImageFileError(VRPSAMError, OSError):
    """An image file is missing, damaged, too large, or not an image."""


class ObjectFileError(VRPSAMError, OSError):
    """A file of objects or labels is missing, damaged, or does not fit its image."""


class OutputError(VRPSAMError, OSError):
    """A file cannot be written, or would replace one that exists."""


class ConfigError(VRPSAMError, ValueError):
    """A setting or a model configuration is unknown, incomplete or out of range."""


class DeviceError(VRPSAMError, RuntimeError):
    """A device was asked for that is not available, or it ran out of memory."""


class WeightsError(VRPSAMError, RuntimeError):
    """Weights cannot be found, trusted or loaded."""


class ChecksumMismatchError(WeightsError):
    """A weight file's size or checksum is not the published one."""


class WeightsMismatchError(WeightsError):
    """A weight file lacks tensors of the model, or holds others."""


class BusyError(VRPSAMError, RuntimeError):
    """Too many people wait for the same model: the work was not begun."""


class Cancelled(VRPSAMError):  # noqa: N818 - nothing went wrong: it was asked for
    """Work was stopped because a person asked for it; what was finished before is kept."""


class MissingExtraError(VRPSAMError, ImportError):
    """A feature needs an optional dependency that is not installed."""

import inspect

import pytest

from vrpsam_app import errors

TREE = dict(inspect.getmembers(errors, inspect.isclass))


@pytest.mark.parametrize("cls", TREE.values(), ids=TREE)
def test_every_error_belongs_to_the_tree_and_keeps_its_message(cls):
    assert issubclass(cls, errors.VRPSAMError)
    assert str(cls("what to do")) == "what to do"


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("AnnotationError", ValueError),
        ("EmptyReferenceError", ValueError),
        ("ImageError", ValueError),
        ("ImageFileError", OSError),
        ("ObjectFileError", OSError),
        ("OutputError", OSError),
        ("ConfigError", ValueError),
        ("DeviceError", RuntimeError),
        ("WeightsError", RuntimeError),
        ("MissingExtraError", ImportError),
    ],
)
def test_errors_are_also_the_builtin_one_would_expect(name, builtin):
    assert issubclass(TREE[name], builtin)


def test_the_drawing_shows_every_error():
    for name in TREE:
        assert name in errors.__doc__


def test_related_errors_can_be_caught_together():
    assert issubclass(errors.EmptyReferenceError, errors.AnnotationError)
    assert issubclass(errors.ChecksumMismatchError, errors.WeightsError)
    assert issubclass(errors.WeightsMismatchError, errors.WeightsError)

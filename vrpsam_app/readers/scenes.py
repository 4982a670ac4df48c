"""Files that hold several images: a person says which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vrpsam_app.errors import ImageFileError

_MOST_NAMED = 12


def chosen_scene(
    names: Sequence[str], scene: int | str | None, path: Path
) -> tuple[int, str | None]:
    """Return the number of the image that was chosen, and its name if there are several.

    Parameters
    ----------
    names : of the images in a file, in its order
    scene : a number from 0 or a name; None takes the only one
    path : of the file, for messages

    Raises
    ------
    ImageFileError
        If there are several and none is chosen, or there is no such image.
    """
    listed = ", ".join(f"{i} {name!r}" for i, name in enumerate(names[:_MOST_NAMED]))
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    if scene is None:
        if len(names) > 1:
            raise ImageFileError(
                f"{path} holds {len(names)} images: {listed}{more}. Choose one by its number or "
                "its name: scene=0 in Python, --scene 0 on the command line."
            )
        return 0, None
    number = names.index(scene) if scene in names else scene
    if not isinstance(number, int) or not 0 <= number < len(names):
        raise ImageFileError(f"{path} has no image {scene!r}. It has {listed}{more}.")
    return number, names[number] if len(names) > 1 else None

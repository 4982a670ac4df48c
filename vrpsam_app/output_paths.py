"""Where the results of many targets go: names that never collide and never replace an input."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vrpsam_app.errors import OutputError

_DOUBLE_ENDINGS = (".ome.zarr", ".zarr.zip", ".ome.tiff", ".ome.tif", ".nii.gz")


@dataclass(frozen=True, slots=True)
class OutputPaths:
    """The files that one target's results are written to.

    Parameters
    ----------
    target
        The image that is segmented.
    masks
        Label to mask file, one for each class.
    labels
        The label image, if there are several classes.
    overlay
        The picture with the result drawn in, if one is wanted.
    """

    target: Path
    masks: Mapping[str, Path]
    labels: Path | None
    overlay: Path | None

    def __iter__(self) -> Iterator[Path]:
        yield from self.masks.values()
        yield from (path for path in (self.labels, self.overlay) if path is not None)


def image_stem(path: str | Path) -> str:
    """Return the name of an image file or folder without its ending, of which some have two parts.

    Examples
    --------
    >>> image_stem("plate/a.1.png"), image_stem("a.ome.tif"), image_stem("brain.nii.gz")
    ('a.1', 'a', 'brain')
    """
    name = Path(path).name
    double = next((e for e in _DOUBLE_ENDINGS if name.lower().endswith(e)), "")
    return name[: -len(double)] if double else Path(path).stem


def plan_outputs(
    targets: Sequence[Path],
    folder: Path,
    labels: Sequence[str],
    *,
    overlay: bool = False,
    by_folder: bool = True,
) -> list[OutputPaths]:
    """Name the files for every target: ``<name>_mask.png`` and its companions in `folder`.

    The name is the target's without its ending. Targets that would share one get their folder and
    their ending as well, ``a/x.png`` and ``b/x.png`` give ``a_x_png`` and ``b_x_png``; what then
    still collides is numbered. Upper and lower case count as equal, as some file systems have it.

    Parameters
    ----------
    targets
        Images, none of them twice.
    labels
        The classes; with more than one, each mask carries its label, ``<name>_<label>_mask.png``.
    overlay
        Whether a picture with the result drawn in is wanted.
    by_folder
        Whether folders are named; without, as where they say nothing to people, numbers do.
    """
    stems = Counter(image_stem(target).casefold() for target in targets)
    slugs = file_names(labels)
    plan: list[OutputPaths] = []
    taken: set[str] = set()
    for target in targets:
        name = image_stem(target)
        if stems[name.casefold()] > 1:
            name = _longer_stem(target, by_folder=by_folder)
        outputs = _outputs(target, folder, name, slugs, overlay)
        number = 1
        while not taken.isdisjoint(_keys(outputs)):
            number += 1
            outputs = _outputs(target, folder, f"{name}-{number}", slugs, overlay)
        taken |= _keys(outputs)
        plan.append(outputs)
    return plan


def result_stems(target: Path) -> tuple[str, str]:
    """Return what the names of a target's results may begin with, the more certain one first.

    Examples
    --------
    >>> result_stems(Path("/a/x.png"))
    ('a_x_png', 'x')
    """
    return _longer_stem(target), image_stem(target)


def may_name_results_of(stem: str, target: Path) -> bool:
    """Tell whether a name is one of :func:`result_stems`."""
    # Links are followed only where it may be the longer one: there may be very many targets.
    longer = stem.endswith(_longer_stem(target, by_folder=False))
    return stem == image_stem(target) or (longer and stem == _longer_stem(target))


def by_result_stem(targets: Iterable[Path]) -> dict[str, list[Path]]:
    """Return targets by each of their :func:`result_stems`: for many results of many targets."""
    named: dict[str, list[Path]] = {}
    for target in targets:
        for stem in result_stems(target):
            named.setdefault(stem, []).append(target)
    return named


def file_names(labels: Sequence[str]) -> dict[str, str]:
    """Give each label a spelling that is safe in a file name and different from the others.

    Examples
    --------
    >>> file_names(["red cell", "a/b"])
    {'red cell': 'red-cell', 'a/b': 'a-b'}
    """
    slugs: dict[str, str] = {}
    taken: set[str] = set()
    for label in labels:
        slug = re.sub(r"[^\w.-]+", "-", label).strip("-.") or "class"
        slugs[label] = free_name(slug, taken)
    return slugs


def free_name(name: str, taken: set[str]) -> str:
    """Return a name that is not taken, numbered if need be, and take it; case does not count."""
    free, number = name, 1
    while free.casefold() in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free.casefold())
    return free


def check_outputs(
    outputs: Iterable[Path],
    inputs: Iterable[Path],
    *,
    overwrite: bool,
    may_resume: bool = False,
) -> None:
    """Make sure, before any work, that nothing is lost by writing `outputs`.

    Parameters
    ----------
    outputs, inputs : files of a run
    overwrite : whether outputs may be there already
    may_resume : whether the run could also go on with them, for the message

    Raises
    ------
    OutputError
        If an output is one of `inputs`; if one exists and `overwrite` is False.
    """
    sources = {path.resolve() for path in inputs}
    existing = []
    for path in outputs:
        if path.resolve() in sources:
            raise OutputError(
                f"{path} would be written over, and it is one of the inputs. Choose another "
                "folder for the results."
            )
        if path.exists():
            existing.append(path)
    if existing and not overwrite:
        found = str(existing[0])
        if len(existing) > 1:
            found += f" (and {len(existing) - 1} other results)"
        go_on = "go on with that run (--resume), " if may_resume else ""
        raise OutputError(
            f"{found} exists already. Choose another folder for the results, {go_on}or allow "
            "overwriting (--overwrite)."
        )


def prepare_folder(folder: Path) -> Path:
    """Create `folder` where it is missing, and make sure that files can be written to it.

    Raises
    ------
    OutputError
        If it is a file, cannot be created, or may not be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder {folder} cannot be made ({error.strerror}). Choose one that may be "
            "written to."
        ) from error
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"Nothing can be written to {folder} ({error.strerror}). Check its rights and the free "
            "space, or choose another folder."
        ) from error
    return folder


def _longer_stem(target: Path, *, by_folder: bool = True) -> str:
    """Return the name with its ending, and with its folder: of targets that share the rest."""
    name = image_stem(target)
    ending = target.name.removeprefix(name).lstrip(".").replace(".", "_")
    folder = target.resolve().parent.name if by_folder else ""
    return f"{folder}_{name}_{ending}" if folder else f"{name}_{ending}"


def _outputs(
    target: Path, folder: Path, name: str, slugs: Mapping[str, str], overlay: bool
) -> OutputPaths:
    several = len(slugs) > 1
    return OutputPaths(
        target=target,
        masks={
            label: folder / (f"{name}_{slug}_mask.png" if several else f"{name}_mask.png")
            for label, slug in slugs.items()
        },
        labels=folder / f"{name}_labels.png" if several else None,
        overlay=folder / f"{name}_overlay.png" if overlay else None,
    )


def _keys(outputs: OutputPaths) -> set[str]:
    return {path.name.casefold() for path in outputs}

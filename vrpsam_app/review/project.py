"""A folder of pictures on its way to a data set: references, results, what a person decided."""

from __future__ import annotations

import getpass
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vrpsam_app.annotation_types import as_mask, check_same_size
from vrpsam_app.errors import ConfigError, ImageFileError, OutputError, VRPSAMError
from vrpsam_app.image_files import MAX_PIXELS, read_image, read_mask, write_mask, write_whole
from vrpsam_app.library.reference_library import ReferenceLibrary
from vrpsam_app.output_paths import prepare_folder
from vrpsam_app.recipe import pixels_sha256
from vrpsam_app.references import Reference
from vrpsam_app.review.state import STATUSES, PictureState, ReviewState, Status, Verdict

STATE_NAME = "project.sqlite"
LIBRARY_NAME = "references.zip"
DECIDED: tuple[Status, ...] = ("accepted", "fixed", "rejected")


@dataclass(frozen=True, slots=True)
class AddedPicture:
    """What became of a file that was to be added.

    Attributes
    ----------
    path : as given
    name : in the project; None if it was not added
    same_as : name of the picture with the same pixels, which is why it was not added
    error : why it cannot be read; it is in the project all the same, and tried again in a run,
        unless it has no name there: then it cannot be kept
    """

    path: Path
    name: str | None
    same_as: str | None = None
    error: VRPSAMError | None = None


class ReviewProject:
    """References, pictures, results and decisions in one folder.

    The folder holds ``project.sqlite`` (what is known), ``references.zip`` (a library), ``results``
    and ``fixed`` (mask files), ``questions`` (a recipe for each set of references that was asked).
    Pictures stay where they are unless they were copied. Every change is on disk when a method
    returns, so that a kill at any moment loses none, and several processes may look on.

    Parameters
    ----------
    folder : of a project that was made with :meth:`create`

    Raises
    ------
    ConfigError
        If it is no project of this release.

    Examples
    --------
    >>> project = ReviewProject.create("plate-7")  # doctest: +SKIP
    >>> list(project.add_pictures(find_images(["images/"])))  # doctest: +SKIP
    >>> project.add_references([reference])  # doctest: +SKIP
    >>> for result in run_review(project, predictor): ...  # doctest: +SKIP
    >>> project.accept(p.name for p in project.by_doubt() if p.certainty > 0.9)  # doctest: +SKIP
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()
        self.state = ReviewState(self.folder / STATE_NAME)

    @classmethod
    def create(cls, folder: str | Path) -> ReviewProject:
        """Make an empty project.

        Raises
        ------
        OutputError
            If there is one already, or the folder cannot be made.
        """
        root = prepare_folder(Path(folder).expanduser())
        ReviewState.create(root / STATE_NAME)
        return cls(root)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order in which they came; number i of a label image is i - 1 here."""
        return tuple(self.state.fact("classes", []))

    @property
    def library(self) -> ReferenceLibrary:
        """The references; raises ConfigError if the file was damaged."""
        path = self.folder / LIBRARY_NAME
        return ReferenceLibrary.load(path) if path.exists() else ReferenceLibrary()

    def keep_library(self, library: ReferenceLibrary) -> None:
        """Take other references from now on; results stay until the next run."""
        self.number_classes(entry.label for entry in library.entries)
        library.save(self.folder / LIBRARY_NAME, overwrite=True)

    def number_classes(self, labels: Iterable[str]) -> None:
        """Give classes that are new the next numbers; those of the others never change."""
        known = self.classes
        if new := [label for label in dict.fromkeys(labels) if label not in known]:
            self.state.keep_fact("classes", [*known, *new])

    def add_references(self, references: Iterable[Reference]) -> None:
        """Add references, named by their labels."""
        library = self.library
        for reference in references:
            library = library.add(library.free_name(reference), reference)
        self.keep_library(library)

    def add_pictures(
        self, paths: Sequence[Path], *, copy: bool = False, max_pixels: int = MAX_PIXELS
    ) -> Iterator[AddedPicture]:
        """Add picture files, each once, the same pixels once.

        Parameters
        ----------
        paths : from :func:`vrpsam_app.image_files.find_images`
        copy : copy the files into the project; else they are read where they are

        Yields
        ------
        added : AddedPicture
            One for each path, in order; a file that cannot be read does not stop the rest.
        """
        known = {self.path_of(picture): picture for picture in self.state.pictures()}
        contents = self.state.contents()
        taken = {picture.name.casefold() for picture in known.values()}
        for path in paths:
            whole = path.expanduser().resolve()
            before = known.get(whole)
            if not copy and (unkept := _no_text(self._kept_path(whole))) is not None:
                yield AddedPicture(path, None, error=unkept)
                continue
            name = _free_name(whole, taken) if before is None else before.name
            facts: dict[str, Any] = {}
            error = None
            try:
                image = read_image(whole, max_pixels=max_pixels)
            except VRPSAMError as caught:
                if before is not None and before.sha256 is not None:
                    yield AddedPicture(path, None, error=caught)
                    continue
                facts, error = {"error": str(caught)}, caught
            else:
                facts = facts_of(image)
                if before is not None and before.sha256 not in (None, facts["sha256"]):
                    yield AddedPicture(path, None, error=other_pixels(path))
                    continue
                if (same := contents.get(facts["sha256"])) is not None:
                    yield AddedPicture(path, None, same_as=same)
                    continue
                contents[facts["sha256"]] = name
            if copy and before is None:
                whole = self._copied(whole, name)
            size = whole.stat().st_size if whole.is_file() else 0
            self.state.add_picture(name, self._kept_path(whole), size, **facts)
            taken.add(name.casefold())
            yield AddedPicture(path, name, error=error)

    def path_of(self, picture: PictureState) -> Path:
        """Return the picture's file."""
        return (self.folder / picture.path).resolve()

    def unasked(self, statuses: Sequence[Status]) -> dict[str, list[str]]:
        """Return by class the names of pictures with masks of other classes and none of it.

        Whether it is in them nobody knows. Classes without a reference or a mask do not count.
        """
        pictures = [picture for picture in self.state.pictures(statuses) if picture.masks]
        sought = {entry.label for entry in self.library.entries if not entry.not_this}
        sought.update(label for picture in pictures for label in picture.masks)
        lacking = {
            label: [picture.name for picture in pictures if label not in picture.masks]
            for label in self.classes
            if label in sought
        }
        return {label: names for label, names in lacking.items() if names}

    def by_doubt(
        self, statuses: Sequence[Status] = STATUSES, most: int | None = None
    ) -> list[PictureState]:
        """Return pictures by doubt: what failed, then the least certain answers, then the rest."""

        def doubt(picture: PictureState) -> tuple[float, int]:
            if picture.status == "failed":
                return -1.0, picture.id
            return (2.0 if picture.certainty is None else picture.certainty), picture.id

        return sorted(self.state.pictures(statuses), key=doubt)[:most]

    def masks_of(self, picture: PictureState) -> dict[str, NDArray[np.bool_]]:
        """Read the masks of a picture by class, the person's where there are some.

        Raises
        ------
        ImageFileError
            If a file is missing or damaged.
        """
        return {label: read_mask(self.folder / path) for label, path in picture.masks.items()}

    def accept(self, names: Iterable[str], *, who: str | None = None, note: str = "") -> None:
        """Say that the segmenter's masks of some pictures are right; drawn ones stay.

        Raises
        ------
        ConfigError
            If a picture is unknown or has no result; then nothing is decided.
        """
        pictures = [self.state.picture(name) for name in names]
        for picture in pictures:
            if not picture.masks:
                raise ConfigError(
                    f"{picture.name!r} has no mask to accept (it is {picture.status}): run the "
                    "project first, or fix it with a mask of your own."
                )
        for picture in pictures:
            if picture.status != "fixed":
                self._decide(picture, "accept", who, note)

    def reject(self, names: Iterable[str], *, who: str | None = None, note: str = "") -> None:
        """Leave pictures out of the data set; raises ConfigError as :meth:`accept`."""
        for picture in [self.state.picture(name) for name in names]:
            self._decide(picture, "reject", who, note)

    def undo(self, names: Iterable[str], *, who: str | None = None, note: str = "") -> None:
        """Take back what was decided; the pictures wait again. Raises ConfigError as `accept`."""
        for picture in [self.state.picture(name) for name in names]:
            self._decide(picture, "undo", who, note)

    def fix(
        self,
        name: str,
        masks: Mapping[str, ArrayLike],
        *,
        who: str | None = None,
        note: str = "",
    ) -> None:
        """Put masks of a person in the place of the segmenter's.

        Parameters
        ----------
        masks : class to mask of shape (H, W), not zero on the object
            Classes that are left out keep the mask they have. Where masks overlap, those given
            here win, the later one over the earlier.

        Raises
        ------
        ConfigError
            If the picture or a class is unknown, or nothing is given.
        AnnotationError
            If a mask has another size than the picture.
        ImageFileError
            If the picture or a mask that is kept cannot be read.
        """
        picture = self.state.picture(name)
        if unknown := sorted(set(masks) - set(self.classes)):
            raise ConfigError(
                f"The project has no class {unknown[0]!r}: expected {', '.join(self.classes)}."
            )
        if not masks:
            raise ConfigError(f"No mask was given for {picture.name!r}: expected at least one.")
        hw = picture.shape[:2] if picture.shape else read_image(self.path_of(picture)).shape[:2]
        fixed = self.masks_of(picture)
        for label, given in masks.items():
            mask = as_mask(given)
            check_same_size(mask.shape, hw, f"The mask of {label!r}", f"picture {picture.name!r}")
            fixed = {other: drawn & ~mask for other, drawn in fixed.items()}
            fixed[label] = mask
        folder = prepare_folder(self.folder / "fixed")
        paths = {}
        for label in sorted(fixed, key=self.classes.index):
            number = self.classes.index(label) + 1
            # Drawn masks are kept for good, each correction under a name of its own.
            paths[label] = _numbered(folder, f"{picture.name}-class{number}", ".png")
            write_mask(paths[label], fixed[label])
        kept = {label: path.relative_to(self.folder) for label, path in paths.items()}
        self._decide(picture, "fix", who, note, kept)

    def use_as_references(self, names: Iterable[str]) -> None:
        """Add accepted or fixed pictures to the references: everything of each class is marked.

        Raises
        ------
        ConfigError
            If a picture is unknown, was not accepted or fixed, or shows nothing.
        """
        references = []
        for picture in [self.state.picture(name) for name in names]:
            if picture.status not in ("accepted", "fixed"):
                raise ConfigError(
                    f"{picture.name!r} is {picture.status}: accept or fix it before it becomes a "
                    "reference."
                )
            shown = {label: mask for label, mask in self.masks_of(picture).items() if mask.any()}
            if not shown:
                raise ConfigError(f"{picture.name!r} shows no object: choose a picture with one.")
            image = read_image(self.path_of(picture))
            references += [
                Reference.from_mask(image, mask, exhaustive=True, label=label)
                for label, mask in shown.items()
            ]
        self.add_references(references)

    def _decide(
        self,
        picture: PictureState,
        verdict: Verdict,
        who: str | None,
        note: str,
        masks: Mapping[str, Path] | None = None,
    ) -> None:
        self.state.decide(picture, verdict, who or current_user(), note, masks)

    def _kept_path(self, path: Path) -> Path:
        root = self.folder.resolve()
        return path.relative_to(root) if path.is_relative_to(root) else path

    def _copied(self, path: Path, name: str) -> Path:
        folder = prepare_folder(self.folder / "pictures").resolve()
        try:
            content = path.read_bytes()
        except OSError as error:
            raise OutputError(f"{path} cannot be copied ({error.strerror}).") from error
        copied = folder / f"{name}{path.suffix.lower()}"
        write_whole(copied, content, overwrite=True)
        return copied


def other_pixels(path: Path) -> ImageFileError:
    """Return what is said of a file whose pixels are no longer those that were added."""
    return ImageFileError(
        f"{path} has other pixels than when it was added. Put the old file back, or add the new "
        "one under another name."
    )


def facts_of(image: NDArray[Any]) -> dict[str, Any]:
    """Return what a project keeps of a picture's pixels."""
    return {
        "sha256": pixels_sha256(image),
        "shape": image.shape,
        "eight_bit": is_eight_bit(image.dtype),
    }


def is_eight_bit(dtype: np.dtype[Any]) -> bool:
    """Tell whether pixels of a type are shown as they are, without an intensity range."""
    return dtype in (np.dtype(np.uint8), np.dtype(np.bool_))


def current_user() -> str:
    """Return the name under which this person is logged in."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no entry for this user, as in some containers
        return "unknown"


def _no_text(path: Path) -> ConfigError | None:
    """Return why a path cannot be kept, None if it can: a name may be any bytes."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return ConfigError(
            f"{path} has a name, or lies in a folder with one, that is not UTF-8 and cannot be "
            "kept: rename it, or copy the pictures into the project (--copy)."
        )
    return None


def _free_name(path: Path, taken: set[str]) -> str:
    """Return a name that is safe in a file name and not taken, upper and lower case being equal."""
    name = base = re.sub(r"[^\w.-]+", "-", path.stem).strip("-.") or "picture"
    if name.casefold() in taken:
        folder = re.sub(r"[^\w.-]+", "-", path.parent.name).strip("-.")
        name = base = f"{folder}_{base}" if folder else base
    number = 1
    while name.casefold() in taken:
        number += 1
        name = f"{base}-{number}"
    return name


def _numbered(folder: Path, stem: str, suffix: str) -> Path:
    number = 1
    while (path := folder / f"{stem}-{number}{suffix}").exists():
        number += 1
    return path

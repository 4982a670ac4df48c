"""What prompts are learned for: parts of faces, banners, plates, objects in generated scenes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hub_weights.checksums import sha256_of
from vrpsam_app.data.boxed_pictures import BoxedPictures
from vrpsam_app.data.celebamask_hq import CLASSES, CelebAMaskHQ
from vrpsam_app.data.compositor import CutOut, PastingSettings, compose_folder, pictures_in
from vrpsam_app.data.folder_dataset import FolderDataset
from vrpsam_app.data.synthetic_scenes import generate_group
from vrpsam_app.environment import ANSWER_CODE, code_version
from vrpsam_app.errors import ConfigError
from vrpsam_app.images import plane_key
from vrpsam_app.methods.box_masks import convert_boxes
from vrpsam_app.methods.prompt_examples import PromptExample, class_number, examples_of_dataset
from vrpsam_app.methods.prompted_pictures import PromptedModel
from vrpsam_app.reproduction.small_scale import digest
from vrpsam_app.training.prompt_tuning import divide_examples

WORLDS = ("coins", "creatures", "bubbles", "nuclei", "look_alikes", "leaves")
"""Of scenes in which things lie that can be told apart."""

FIRST_SEED = 9 << 41
"""Of scenes that nothing was trained on."""

LEAST_SHARE = 0.004
"""Share of a scene from which an object is asked for."""

SPARE = 3
"""Scenes drawn for each that is needed: some lack the class."""

FACE_PARTS = ("eye", "brow", "nose", "upper lip", "lower lip", "skin")
"""Parts that every uncovered face shows."""

FACES_LOOKED_AT = 4
"""Faces that are opened for each that is asked about."""


@dataclass(frozen=True, slots=True, eq=False)
class PromptTask:
    """Objects of one kind, some to learn from and others to ask for.

    Attributes
    ----------
    name : what is meant
    learn, ask : pictures with these objects; none is in both
    """

    name: str
    learn: tuple[PromptExample, ...]
    ask: tuple[PromptExample, ...]

    def __post_init__(self) -> None:
        if not self.learn or not self.ask:
            raise ConfigError(
                f"{self.name}: {len(self.learn)} pictures to learn from and {len(self.ask)} to ask "
                "about show an object: expected at least one of each. Give more pictures."
            )


def scene_tasks(
    *, images: int, asked: int, worlds: Sequence[str] = WORLDS, size: int = 160, seed: int = 0
) -> list[PromptTask]:
    """Draw scenes: in each task the objects of the first class of one world.

    Parameters
    ----------
    images, asked : pictures to learn from and to ask about
    worlds : one task each
    size : side of the scenes in pixels
    seed : of the scenes
    """
    tasks = []
    for number, world in enumerate(worlds):
        group = generate_group(
            FIRST_SEED + (seed << 20) + number,
            size=size,
            images=SPARE * (images + asked),
            worlds=[world],
        )
        wanted = group.has_instances.index(True) + 1
        found = []
        for image, classes, instances in zip(
            group.images, group.classes, group.instances, strict=True
        ):
            objects = np.where(classes == wanted, instances, 0).astype(np.int32)
            areas = np.bincount(objects.ravel())
            objects[(areas < LEAST_SHARE * objects.size)[objects]] = 0
            example = PromptExample(image, objects)
            if example.numbers:
                found.append(example)
        label = f"{world}: {group.class_names[wanted - 1]}"
        tasks.append(
            PromptTask(label, tuple(found[:images]), tuple(found[images : images + asked]))
        )
    return tasks


def face_tasks(
    folder: Path, *, images: int, asked: int, parts: Collection[str] = FACE_PARTS
) -> list[PromptTask]:
    """Read uncovered faces: each part is a task, learned on CelebA's training part.

    Raises
    ------
    ConfigError
        If there is no such part.
    ImageFileError
        If the data are not there.
    """
    if unknown := sorted(set(parts) - set(CLASSES)):
        raise ConfigError(f"Faces have no {unknown[0]!r}: expected some of {', '.join(CLASSES)}.")
    sides = (
        CelebAMaskHQ.open(folder, "train", most=FACES_LOOKED_AT * images),
        CelebAMaskHQ.open(folder, "val", most=FACES_LOOKED_AT * asked),
    )
    tasks = []
    for part in parts:
        learn, ask = (
            _first_examples(dataset, part, count)
            for dataset, count in zip(sides, (images, asked), strict=True)
        )
        tasks.append(PromptTask(part, learn, ask))
    return tasks


def banner_task(
    cut_outs: Sequence[CutOut],
    backgrounds: Path,
    folder: Path,
    *,
    images: int,
    asked: int,
    photos: Path | None = None,
    seed: int = 0,
    settings: PastingSettings | None = None,
) -> PromptTask:
    """Compose pictures of cut-outs on backgrounds to learn from.

    Parameters
    ----------
    cut_outs : of the objects
    backgrounds : folder of pictures without such objects
    folder : where composed pictures are kept; those of the same arguments are read again
    images, asked : pictures to learn from and to ask about
    photos : labelled folder to ask about; without one pictures are composed on backgrounds that
        none of the others has
    seed : of everything that is drawn
    settings : of the compositor

    Raises
    ------
    ConfigError
        If there are too few backgrounds.
    ImageFileError
        If something is not there.
    """
    places = pictures_in(backgrounds)
    order = [places[i] for i in np.random.default_rng(seed).permutation(len(places))]
    if photos is None and len(order) < 2:
        raise ConfigError(
            f"{backgrounds} holds {len(order)} picture: expected at least two, one to learn from "
            "and one to ask about. Add some, or give labelled photographs to ask about."
        )
    half = order if photos is not None else order[: len(order) // 2]
    shown = [(plane_key(c.rgb), plane_key(c.alpha)) for c in cut_outs]

    def composed(part: str, backgrounds: Sequence[Path], count: int, seed: int) -> Path:
        sums = [sha256_of(path) for path in backgrounds]
        return _kept(
            folder / part,
            (shown, sums, count, seed, settings),
            lambda root: compose_folder(
                root,
                cut_outs,
                backgrounds,
                count=count,
                label="object",
                seed=seed,
                settings=settings,
            ),
        )

    learn = composed("learn", half, images, seed)
    asked_folder = photos or composed("ask", order[len(order) // 2 :], asked, seed + 1)
    learned, there = (
        tuple(examples_of_dataset(FolderDataset.open(f, None, leave_out_restricted=False)))
        for f in (learn, asked_folder)
    )
    return PromptTask("pasted objects", learned, there[:asked])


def cut_outs_of(folder: Path) -> list[CutOut]:
    """Read pictures with transparency, or cut the objects out of a labelled folder.

    Raises
    ------
    ImageFileError
        If there are none.
    """
    if (folder / "masks").is_dir():
        dataset = FolderDataset.open(folder, None, leave_out_restricted=False)
        return [
            CutOut.of(example.image, example.mask(number))
            for example in examples_of_dataset(dataset)
            for number in example.numbers
        ]
    return [CutOut.read(path) for path in pictures_in(folder)]


def plate_task(
    folder: Path,
    converted: Path,
    model: PromptedModel,
    *,
    images: int,
    asked: int,
    label: str | None = None,
    seed: int = 0,
) -> PromptTask:
    """Turn boxes into masks, and learn from those of some pictures.

    Parameters
    ----------
    folder : pictures with boxes, see :class:`~vrpsam_app.data.boxed_pictures.BoxedPictures`
    converted : where the masks are kept; those of the same pictures, boxes and model are read again
    model : asked by the boxes
    images, asked : pictures to learn from and to ask about
    label : of the boxes that are meant, all by default
    seed : of the division
    """
    boxed = BoxedPictures.open(folder)
    sums = {name: sha256_of(path) for name, path in boxed.pictures.items()}
    made = _kept(
        converted,
        (sums, dict(boxed.boxes), label, dict(model.describe()), code_version(ANSWER_CODE)),
        lambda root: convert_boxes(model, boxed, root, label=label),
    )
    dataset = FolderDataset.open(made, None, leave_out_restricted=False)
    learn, rest = divide_examples(examples_of_dataset(dataset), images, seed)
    return PromptTask(label or "boxed objects", tuple(learn), tuple(rest[:asked]))


def _kept(folder: Path, made_of: object, make: Callable[[Path], object]) -> Path:
    """Return the labelled folder that was made of something; made now if it is not there."""
    root = folder.with_name(f"{folder.name}-{digest(made_of)}")
    if not (root / "meta.json").is_file():
        # Pictures without it are what a stopped run left.
        shutil.rmtree(root, ignore_errors=True)
        make(root)
    return root


def _first_examples(dataset: CelebAMaskHQ, part: str, count: int) -> tuple[PromptExample, ...]:
    wanted = class_number(dataset, part)
    found: list[PromptExample] = []
    for index in range(len(dataset)):
        if len(found) == count:
            break
        face = dataset.load(index)
        objects = np.where(face.classes == wanted, face.instances, 0).astype(np.int32)
        example = PromptExample(face.image, objects)
        if example.numbers:
            found.append(example)
    return tuple(found)

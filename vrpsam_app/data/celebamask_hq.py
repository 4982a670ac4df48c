"""CelebAMask-HQ: faces whose parts were outlined by hand, with those left out that are covered."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.data.folder_layout import Split
from vrpsam_app.data.labelled_dataset import (
    LabelledFiles,
    LabelledImage,
    Labels,
    own_fields,
    ungrouped,
)
from vrpsam_app.errors import ConfigError, ImageFileError
from vrpsam_app.geometry import resize_bilinear
from vrpsam_app.image_files import read_image, read_mask
from vrpsam_app.images import to_rgb

PART_OF: Mapping[str, str] = MappingProxyType(
    {
        "skin": "skin", "nose": "nose", "eye_g": "glasses", "l_eye": "eye", "r_eye": "eye",
        "l_brow": "brow", "r_brow": "brow", "l_ear": "ear", "r_ear": "ear", "mouth": "mouth",
        "u_lip": "upper lip", "l_lip": "lower lip", "hair": "hair", "hat": "hat",
        "ear_r": "earring", "neck_l": "necklace", "neck": "neck", "cloth": "cloth",
    }
)  # fmt: skip
"""What a file shows -> class, in the order in which later ones cover earlier ones."""

CLASSES = tuple(dict.fromkeys(PART_OF.values()))

COVERING = ("eye_g", "hat")
"""Where one of these is, something is hidden."""

EXPECTED = ("skin", "nose", "l_eye", "r_eye", "l_brow", "r_brow", "u_lip", "l_lip")
"""Where one of these has no file, it is hidden or turned away."""

MASKS_IN_FOLDER = 2000
# Numbers of CelebA's pictures at which its validation and test parts begin, as the data set's own
# code compares them with the second column of the mapping.
FIRST_VAL, FIRST_TEST = 162_771, 182_638


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CelebAMaskHQ(LabelledFiles):
    """Faces and their parts.

    Reads ``CelebA-HQ-img/<n>.jpg``, ``CelebAMask-HQ-mask-anno/<n // 2000>/<nnnnn>_<part>.png`` and,
    for the parts of CelebA's split, ``CelebA-HQ-to-CelebA-mapping.txt``. Left and right eyes, brows
    and ears are two objects of one class. Pictures are brought to the size of the masks, half their
    own.

    Published counts: 30,000 pictures, of which 24,183 to train, 2,993 to validate, 2,824 to test.

    Attributes
    ----------
    folder : holds ``CelebA-HQ-img/``
    benchmark : what its counts are compared with
    """

    folder: Path
    benchmark: str
    _parts: Mapping[str, Mapping[str, Path]]  # picture -> part -> file

    @classmethod
    def open(
        cls,
        folder: str | Path,
        split: Split | None = None,
        *,
        leave_out_covered: bool = True,
        most: int | None = None,
    ) -> CelebAMaskHQ:
        """List the pictures and their masks without reading them.

        Parameters
        ----------
        folder : of the data set as it is unpacked
        split : CelebA's; "val" is its validation and its test part together, None is everything
        leave_out_covered : whether to leave out faces with glasses or a hat, and those of which a
            brow, an eye, the nose or a lip is missing
        most : number of pictures, the first ones

        Raises
        ------
        ImageFileError
            If a folder, a picture or the mapping is missing, or no picture is left.
        """
        root = Path(folder)
        for part in ("CelebA-HQ-img", "CelebAMask-HQ-mask-anno"):
            if not (root / part).is_dir():
                raise ImageFileError(
                    f"{root} has no {part}/: expected CelebAMask-HQ as it is unpacked."
                )
        masks = _masks(root / "CelebAMask-HQ-mask-anno")
        chosen = sorted(masks) if split is None else _of_split(root, split, masks)
        if leave_out_covered:
            chosen = [n for n in chosen if not is_covered(masks[n])]
        chosen = chosen[:most]
        if not chosen:
            raise ImageFileError(
                f"{root} has no picture left of {len(masks)}: expected masks such as "
                "CelebAMask-HQ-mask-anno/0/00000_skin.png; uncovered faces show all of "
                f"{', '.join(EXPECTED)}."
            )
        missing = next((n for n in chosen if not _picture(root, n).is_file()), None)
        if missing is not None:
            raise ImageFileError(
                f"{_picture(root, missing)} is missing, though it has masks: unpack CelebA-HQ-img."
            )
        names = tuple(str(n) for n in chosen)
        return cls(
            name=f"celebamask-hq {split or 'all'}",
            names=names,
            class_names=CLASSES,
            groups=ungrouped(names),
            fields=own_fields(names),
            has_instances=True,
            folder=root,
            benchmark=f"celebamask-hq/{split or 'all'}{'/uncovered' if leave_out_covered else ''}",
            _parts={str(n): masks[n] for n in chosen},
        )

    def counts(self) -> dict[str, int]:
        """Return the number of pictures."""
        return {"pictures": len(self.names)}

    def image_path(self, index: int) -> Path:
        """Return where picture number `index` lies."""
        return _picture(self.folder, int(self.names[index]))

    def label_path(self, index: int) -> Path:
        """Return where the first of its masks lies."""
        return next(iter(self._parts[self.names[index]].values()))

    def labels(self, index: int) -> Labels:
        """Read the parts of picture number `index`; where two meet, the later of `PART_OF` wins."""
        files = self._parts[self.names[index]]
        classes: NDArray[np.int32] = np.zeros((0, 0), np.int32)
        instances = classes
        for number, (part, label) in enumerate(PART_OF.items(), start=1):
            if part not in files:
                continue
            mask = read_mask(files[part])
            if not classes.size:
                classes, instances = (np.zeros(mask.shape, np.int32) for _ in range(2))
            if mask.shape != classes.shape:
                raise ImageFileError(
                    f"{files[part]} has shape {mask.shape}, other parts of the face "
                    f"{classes.shape}: expected one size. Unpack the masks again."
                )
            classes[mask] = CLASSES.index(label) + 1
            instances[mask] = number
        return Labels(instances, classes)

    def load(self, index: int) -> LabelledImage:
        """Read picture number `index`, brought to the size of its masks, and its parts."""
        labels = self.labels(index)
        rgb = to_rgb(read_image(self.image_path(index)))
        hw = (labels.classes.shape[0], labels.classes.shape[1])
        return LabelledImage(
            name=self.names[index],
            image=resize_bilinear(rgb, hw),
            instances=labels.instances,
            classes=labels.classes,
            class_names=self.class_names,
        )


def is_covered(parts: Collection[str]) -> bool:
    """Tell by the parts that have a mask whether something hides one of a face."""
    return any(p in parts for p in COVERING) or not all(p in parts for p in EXPECTED)


def _picture(root: Path, number: int) -> Path:
    return root / "CelebA-HQ-img" / f"{number}.jpg"


def _masks(folder: Path) -> dict[int, dict[str, Path]]:
    """List the masks of each picture by part; other files are passed over."""
    found: dict[int, dict[str, Path]] = {}
    for block in sorted(p for p in folder.iterdir() if p.is_dir()):
        for path in sorted(block.glob("*.png")):
            number, _, part = path.stem.partition("_")
            if not number.isdecimal() or part not in PART_OF:
                continue
            if block.name != str(int(number) // MASKS_IN_FOLDER):
                raise ImageFileError(
                    f"{path} lies in the wrong folder: expected it in "
                    f"{folder / str(int(number) // MASKS_IN_FOLDER)}. Unpack the masks again."
                )
            found.setdefault(int(number), {})[part] = path
    return found


def _of_split(root: Path, split: Split, masks: Mapping[int, object]) -> list[int]:
    """Return the pictures of a part of CelebA's split that have masks."""
    if split not in ("train", "val"):
        raise ConfigError(f"Split {split!r} is unknown: expected 'train' or 'val'.")
    path = root / "CelebA-HQ-to-CelebA-mapping.txt"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
        rows = [line.split() for line in lines if line.strip()]
        origin = {int(row[0]): int(row[1]) for row in rows}
    except (OSError, ValueError, IndexError) as error:
        raise ImageFileError(
            f"{path} cannot be read ({error}): expected the mapping of the data set, with the "
            "columns idx, orig_idx, orig_file. Copy it from there, or open all pictures."
        ) from error
    wanted = {n for n, original in origin.items() if (original < FIRST_VAL) == (split == "train")}
    return sorted(wanted & set(masks))

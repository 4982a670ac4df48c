"""Which pictures to learn from or to measure on, as words on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from vrpsam_app.data.class_folds import NovelRule
from vrpsam_app.data.folder_layout import Split, has_test_part
from vrpsam_app.data.labelled_dataset import LabelledDataset
from vrpsam_app.errors import ConfigError, ImageFileError, VRPSAMError

Benchmark = Literal[
    "pascal5i", "coco20i", "fss1000", "perseg", "davis2017", "isic", "kvasir", "celebamask"
]
BENCHMARKS: tuple[Benchmark, ...] = get_args(Benchmark)

SYNTHETIC = "synthetic"
"""The word for procedural scenes, which need no folder."""

_FLAGS = ("one-image", "components", "kinds", "upright")
_SPELLING = (
    "FOLDER[,one-image][,upright][,weight=N][,components][,kinds]"
    f"[,{'|'.join(BENCHMARKS)}][,fold=N][,novel=excluded|background], or {SYNTHETIC}"
)


@dataclass(frozen=True, slots=True)
class DataWords:
    """A data set and how to learn from it or ask about it.

    One line serves ``vrpsam train`` and ``vrpsam evaluate``: each passes over what only the other
    heeds.

    Attributes
    ----------
    folder : of the data; ``synthetic`` for procedural scenes
    one_image : each picture is a class of its own: target and reference are parts of it
    components : connected parts count as objects where the labels have none (evaluation)
    kinds : each picture shows one object, of the class that ``per_image_class.json`` says
    benchmark : how the folder is laid out, None for ``images/`` and ``masks/``
    fold : of a benchmark that has folds
    upright : pictures are mirrored but not turned (training)
    weight : how often it is drawn, relative to other data (training)
    novel : what becomes of training pictures that show a novel class (training)
    """

    folder: Path
    one_image: bool = False
    components: bool = False
    kinds: bool = False
    benchmark: Benchmark | None = None
    fold: int = 0
    upright: bool = False
    weight: float = 1.0
    novel: NovelRule = "excluded"

    @classmethod
    def parse(cls, text: str) -> DataWords:
        """Read ``FOLDER[,one-image][,upright][,weight=2][,pascal5i][,fold=N]`` and so on.

        Raises
        ------
        ConfigError
            If a word after the folder means nothing.
        """
        name, *words = text.split(",")
        if not name:
            raise ConfigError(f"--data {text!r} names no folder: expected {_SPELLING}.")
        found: dict[str, Any] = {}
        for word in words:
            try:
                found.update([_meaning(word)])
            except ValueError as error:
                raise ConfigError(
                    f"--data {text!r}: {word!r} is not known. Expected {_SPELLING}."
                ) from error
        return cls(Path(name), **found)

    def facts(self) -> dict[str, object]:
        """Return what a model's configuration says of training data: all but where they lay."""
        facts: dict[str, object] = {
            "name": self.folder.name,
            "weight": self.weight,
            "one_image": self.one_image,
            "upright": self.upright,
        }
        if self.benchmark is not None:
            facts |= {"benchmark": self.benchmark, "fold": self.fold, "novel": self.novel}
        return facts

    def open_part(self, split: Split) -> LabelledDataset:
        """List the pictures of one part of one data set: what is learned from, or kept for looking.

        Raises
        ------
        ImageFileError, ConfigError
            If the data are not there, cannot be understood, or have no such part.
        """
        if self.benchmark is not None:
            return _open_benchmark(self.benchmark, self.folder, self.fold, split, self.novel)
        if str(self.folder) == SYNTHETIC and not self.folder.exists():
            raise ConfigError(
                f"{SYNTHETIC!r} names the scenes that are measured on: training draws others of "
                "its own, where no data are given and by --synthetic-share."
            )
        return self._open_folder(self.folder, split)

    def open_validation(self) -> LabelledDataset | None:
        """List the pictures to look at while a run learns; None where the data have no such part.

        Raises
        ------
        ImageFileError, ConfigError
            If a labelled folder names such a part, and it cannot be understood.
        """
        if self.benchmark is None:
            return self.open_part("val") if has_test_part(self.folder) else None
        try:
            return self.open_part("val")
        except VRPSAMError:  # a benchmark may be learned from without its other files
            return None

    def open(self) -> list[LabelledDataset]:
        """List the pictures: of a folder of labelled folders, those of each that has a test part.

        Raises
        ------
        ImageFileError, ConfigError
            If the data are not there or cannot be understood.
        """
        if str(self.folder) == SYNTHETIC and not self.folder.exists():
            from vrpsam_app.data.synthetic_dataset import SyntheticDataset

            return [SyntheticDataset.draw()]
        if not self.folder.is_dir():
            raise ImageFileError(
                f"{self.folder} is not a folder: expected one with images/ and masks/, a folder of "
                f"such folders, or {SYNTHETIC}."
            )
        if self.benchmark is not None:
            return [_open_benchmark(self.benchmark, self.folder, self.fold, "val", self.novel)]
        if (self.folder / "images").exists():
            return [self._open_test_part(self.folder)]
        inside = [p for p in sorted(self.folder.iterdir()) if (p / "images").is_dir()]
        if not inside:
            raise ImageFileError(
                f"{self.folder} has no folder images/, nor have the folders in it: expected "
                "images/<name>.png or .jpg and masks/<name>.png."
            )
        opened = [
            self._open_test_part(path)
            for path in inside
            if has_test_part(path) or not (path / "splits.json").is_file()
        ]
        if not opened:
            raise ImageFileError(f"No folder in {self.folder} has pictures for validation.")
        return opened

    def _open_test_part(self, folder: Path) -> LabelledDataset:
        split: Split | None = "val" if (folder / "splits.json").is_file() else None
        return self._open_folder(folder, split, leave_out_restricted=False)

    def _open_folder(
        self, folder: Path, split: Split | None, *, leave_out_restricted: bool | None = None
    ) -> LabelledDataset:
        from vrpsam_app.data.folder_dataset import FolderDataset
        from vrpsam_app.data.picture_classes import PictureClasses

        if self.kinds:
            return PictureClasses.open(folder, split)
        return FolderDataset.open(folder, split, leave_out_restricted=leave_out_restricted)


def _meaning(word: str) -> tuple[str, object]:
    """Return field and value that a word stands for.

    Raises
    ------
    ValueError
        If it stands for nothing.
    """
    key, _, value = word.partition("=")
    if word in _FLAGS:
        return word.replace("-", "_"), True
    if word in BENCHMARKS:
        return "benchmark", word
    if key == "fold" and value.isdecimal():
        return "fold", int(value)
    if key == "weight" and float(value) > 0:
        return "weight", float(value)
    if key == "novel" and value in get_args(NovelRule):
        return "novel", value
    raise ValueError(word)


def _open_benchmark(
    benchmark: Benchmark, folder: Path, fold: int, split: Split, novel: NovelRule
) -> LabelledDataset:
    if benchmark == "pascal5i":
        from vrpsam_app.data.pascal5i import Pascal5i

        return Pascal5i.open(folder, fold, split, novel=novel)
    if benchmark == "coco20i":
        from vrpsam_app.data.coco20i import Coco20i

        return Coco20i.open(folder, fold, split, novel=novel)
    if benchmark == "fss1000":
        from vrpsam_app.data.fss1000 import Fss1000

        return Fss1000.open(folder, "test" if split == "val" else split)
    if benchmark == "davis2017":
        from vrpsam_app.data.davis2017 import Davis2017

        return Davis2017.open(folder, split)
    if benchmark == "celebamask":
        from vrpsam_app.data.celebamask_hq import CelebAMaskHQ

        return CelebAMaskHQ.open(folder, split)
    if split == "train":
        raise ConfigError(
            f"{benchmark} has no part to learn from, it is measured on as a whole: expected a "
            "labelled folder, or pascal5i, coco20i, fss1000, davis2017, celebamask."
        )
    if benchmark == "perseg":
        from vrpsam_app.data.perseg import PerSeg

        return PerSeg.open(folder)
    if benchmark == "isic":
        from vrpsam_app.data.isic import Isic

        return Isic.open(folder)
    from vrpsam_app.data.kvasir import Kvasir

    return Kvasir.open(folder)

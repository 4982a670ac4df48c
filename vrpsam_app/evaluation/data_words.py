"""Which pictures are measured, as words on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from vrpsam_app.data.folder_layout import Split, read_document
from vrpsam_app.data.labelled_dataset import LabelledDataset
from vrpsam_app.errors import ConfigError, ImageFileError

Benchmark = Literal["pascal5i", "coco20i", "fss1000", "perseg", "davis2017", "isic", "kvasir"]
BENCHMARKS: tuple[Benchmark, ...] = get_args(Benchmark)

SYNTHETIC = "synthetic"
"""The word for procedural scenes, which need no folder."""

# Of `vrpsam train`, so that one line serves both; nothing is turned or weighed here.
_TRAINING_WORDS = ("upright", "weight")
_SPELLING = (
    f"FOLDER[,one-image][,components][,kinds][,fold=N][,{'|'.join(BENCHMARKS)}], or {SYNTHETIC}"
)


@dataclass(frozen=True, slots=True)
class DataWords:
    """A data set and how to ask about it.

    Attributes
    ----------
    folder : of the data; ``synthetic`` for procedural scenes
    one_image : each picture is a class of its own: target and reference are its two halves
    components : connected parts count as objects where the labels have none
    kinds : each picture shows one object, of the class that ``per_image_class.json`` says
    benchmark : how the folder is laid out, None for ``images/`` and ``masks/``
    fold : of a benchmark that has folds
    """

    folder: Path
    one_image: bool = False
    components: bool = False
    kinds: bool = False
    benchmark: Benchmark | None = None
    fold: int = 0

    @classmethod
    def parse(cls, text: str) -> DataWords:
        """Read ``FOLDER[,one-image][,components][,kinds][,pascal5i][,fold=N]``.

        ``upright`` and ``weight=N``, which only training heeds, are accepted.

        Raises
        ------
        ConfigError
            If a word after the folder means nothing.
        """
        name, *words = text.split(",")
        flags: set[str] = set()
        benchmark: Benchmark | None = None
        fold = 0
        for word in words:
            key, _, value = word.partition("=")
            if word in ("one-image", "components", "kinds"):
                flags.add(word)
            elif key == "fold" and value.isdecimal():
                fold = int(value)
            elif word in BENCHMARKS:
                benchmark = next(b for b in BENCHMARKS if b == word)
            elif key not in _TRAINING_WORDS:
                raise ConfigError(f"--data {text!r}: {word!r} is not known. Expected {_SPELLING}.")
        if not name:
            raise ConfigError(f"--data {text!r} names no folder: expected {_SPELLING}.")
        return cls(
            folder=Path(name),
            one_image="one-image" in flags,
            components="components" in flags,
            kinds="kinds" in flags,
            benchmark=benchmark,
            fold=fold,
        )

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
            return [_open_benchmark(self.benchmark, self.folder, self.fold)]
        if (self.folder / "images").exists():
            return [self._open_folder(self.folder)]
        inside = [p for p in sorted(self.folder.iterdir()) if (p / "images").is_dir()]
        if not inside:
            raise ImageFileError(
                f"{self.folder} has no folder images/, nor have the folders in it: expected "
                "images/<name>.png or .jpg and masks/<name>.png."
            )
        opened = [self._open_folder(path) for path in inside if _has_test_part(path)]
        if not opened:
            raise ImageFileError(f"No folder in {self.folder} has pictures for validation.")
        return opened

    def _open_folder(self, folder: Path) -> LabelledDataset:
        from vrpsam_app.data.folder_dataset import FolderDataset
        from vrpsam_app.data.picture_classes import PictureClasses

        split: Split | None = "val" if (folder / "splits.json").is_file() else None
        if self.kinds:
            return PictureClasses.open(folder, split)
        return FolderDataset.open(folder, split, leave_out_restricted=False)


def _has_test_part(folder: Path) -> bool:
    splits = read_document(folder / "splits.json")
    return not splits or bool(splits.get("val") or splits.get("val_classes"))


def _open_benchmark(benchmark: Benchmark, folder: Path, fold: int) -> LabelledDataset:
    if benchmark == "pascal5i":
        from vrpsam_app.data.pascal5i import Pascal5i

        return Pascal5i.open(folder, fold)
    if benchmark == "coco20i":
        from vrpsam_app.data.coco20i import Coco20i

        return Coco20i.open(folder, fold)
    if benchmark == "fss1000":
        from vrpsam_app.data.fss1000 import Fss1000

        return Fss1000.open(folder)
    if benchmark == "perseg":
        from vrpsam_app.data.perseg import PerSeg

        return PerSeg.open(folder)
    if benchmark == "davis2017":
        from vrpsam_app.data.davis2017 import Davis2017

        return Davis2017.open(folder)
    if benchmark == "isic":
        from vrpsam_app.data.isic import Isic

        return Isic.open(folder)
    from vrpsam_app.data.kvasir import Kvasir

    return Kvasir.open(folder)

"""``vrpsam train``: options become a run, and what does not go together is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vrpsam_app.cli import build_parser, main
from vrpsam_app.cli.train import training_run
from vrpsam_app.config import EMBEDDED_CONFIG, SAM_TINY
from vrpsam_app.data.data_words import DataWords
from vrpsam_app.errors import ConfigError
from vrpsam_app.models.frozen_sam import FrozenSAM
from vrpsam_app.training.training_run import TrainingRun


def asked(*words: str | Path) -> TrainingRun:
    return training_run(build_parser().parse_args(["train", *map(str, words)]))


@pytest.fixture(scope="module")
def sam_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sam") / "sam_tiny.pth"
    torch.save(FrozenSAM(SAM_TINY).state_dict(), file)
    return file


def test_what_is_not_given_is_the_presets() -> None:
    run = asked()
    assert run == TrainingRun(config=EMBEDDED_CONFIG, folder=Path("runs/embedded"))


def test_a_model_has_the_licence_that_is_given() -> None:
    assert asked("--license", "cc-by-4.0").config.license == "cc-by-4.0"
    assert asked("--preset", "paper-coco", "--licence", "mit").config.license == "mit"
    assert asked("--preset", "paper-coco").config.license == "unknown"


def test_the_embedded_model_from_folders() -> None:
    run = asked(
        *("--run", "r", "--data", "cells,weight=2", "--data", "dogs,upright", "--steps", "9"),
        *("--groups", "4", "--learning-rate", "0.0015", "--precision", "bf16", "--threads", "2"),
        *("--loss", "dice", "--queries", "3", "--marks", "point", "--export", "e"),
    )
    assert run.data == (DataWords(Path("cells"), weight=2.0), DataWords(Path("dogs"), upright=True))
    assert (run.steps, run.groups, run.learning_rate, run.precision) == (9, 4, 0.0015, "bf16")
    assert (run.threads, run.loss, run.marks, run.export) == (2, "dice", "point", Path("e"))
    assert run.config.vrp_encoder.num_queries == 3
    assert run.folder == Path("r")


def test_a_fold_of_the_papers(sam_file: Path) -> None:
    run = asked(
        *("--preset", "paper-coco", "--data", "COCO", "--fold", "1", "--sam", sam_file),
        *("--backbone", "vgg.pth", "--encoder", "vgg16_bn", "--query-init", "half"),
        *("--mask-pooling", "area", "--novel", "background", "--accumulate", "2"),
        *("--store-bytes", "500M", "--store-parts", "all", "--keep", "best", "--epochs", "3"),
    )
    assert run.data == (DataWords(Path("COCO"), benchmark="coco20i", fold=1, novel="background"),)
    assert run.config.sam == SAM_TINY  # as its file says
    encoder = run.config.vrp_encoder
    assert (encoder.semantic_encoder, encoder.query_init) == ("vgg16_bn", "half")
    assert encoder.mask_pooling == "area"
    assert (run.learning_rate, run.seed, run.batch, run.accumulate) == (1e-4, 321, 8, 2)
    assert (run.store_bytes, run.store_parts, run.keep) == (500 << 20, "all", "best")
    assert (run.epochs, run.folder) == (3, Path("runs/paper-coco-fold1"))


def test_a_papers_model_from_a_labelled_folder(sam_file: Path, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    run = asked("--preset", "paper-pascal", "--data", tmp_path, "--sam", sam_file)
    assert run.data == (DataWords(tmp_path),)
    with pytest.raises(ConfigError, match="give --fold as well"):
        asked("--preset", "paper-pascal", "--data", tmp_path / "VOC2012", "--sam", sam_file)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--preset", "paper-coco", "--data", "COCO", "--fold", "0"), "--sam and --backbone"),
        (("--preset", "paper-coco", "--fold", "0"), "expected one --data"),
        (("--data", "X", "--fold", "0"), "has no folds"),
        (("--data", "X,sideways"), "'sideways' is not known"),
        (("--learning-rate", "nan"), "Learning-rate is nan: expected a number"),
        (("--learning-rate", "0"), "Learning-rate is 0"),
        (("--minutes", "nan"), "Minutes is nan: expected a number from 0"),
        (("--synthetic-share", "2"), "Synthetic-share is 2.0: expected a number from 0 to 1"),
        (("--seed", str(1 << 32)), "Seed is 4294967296"),
    ],
)
def test_what_does_not_go_together_is_named(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        asked(*words)


@pytest.mark.parametrize(
    "words",
    [
        ("--fold", "4"),
        ("--batch", "0"),
        ("--store-bytes", "many"),
        ("--loss", "focal"),
        ("--queries", "-1"),
    ],
)
def test_values_out_of_range_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit):
        asked(*words)


def test_a_run_without_weights_ends_with_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "masks").mkdir()
    typed = ["train", "--preset", "paper-coco", "--data", str(tmp_path), "--device", "cpu"]
    assert main(typed) == 2
    said = capsys.readouterr().err
    assert said.startswith("vrpsam: paper-resnet50_v2-vit_h learns on frozen weights: give --sam")
    assert main([*typed, "--sam", str(tmp_path / "none.pth")]) == 2
    assert "none.pth does not exist" in capsys.readouterr().err

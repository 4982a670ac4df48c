"""COCO and PASCAL: what is trained, what is asked, what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vrpsam_app.errors import ConfigError, ImageFileError, WeightsError
from vrpsam_app.reproduction.experiments import Run, Trial, Variant
from vrpsam_app.reproduction.paper_bench import PaperBench, PaperFiles, parse_backbones
from vrpsam_app.training import run as training
from vrpsam_app.training.training_run import TrainingRun


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Write three pictures of aeroplanes, and one of a bicycle, as VOC has them."""
    root = tmp_path / "VOC2012"
    for folder in ("JPEGImages", "SegmentationClassAug", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    for number in range(4):
        labels = np.zeros((80, 100), np.uint8)
        labels[10:60, 10:70] = 2 if number == 3 else 1
        image = np.where(labels[..., None] > 0, 200, 10 * number).astype(np.uint8).repeat(3, 2)
        Image.fromarray(image).save(root / f"JPEGImages/{number}.jpg")
        Image.fromarray(labels).save(root / f"SegmentationClassAug/{number}.png")
    (root / "ImageSets/Segmentation/val.txt").write_text("0\n1\n2\n3\n")
    return root


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.pth"
    path.write_bytes(b"")
    return path


@pytest.fixture
def bench(voc: Path, weights: Path) -> PaperBench:
    files = PaperFiles(sam=weights, backbones={"resnet50": weights}, pascal=voc)
    return PaperBench(files=files, episodes=6, changes={"steps": 7}, computing={"device": "cpu"})


def test_a_variant_changes_the_preset(
    bench: PaperBench, voc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[TrainingRun] = []

    def train(run: TrainingRun, report: object) -> Path:
        runs.append(run)
        return run.folder / "model"

    monkeypatch.setattr(training, "train", train)
    variant = Variant(benchmark="pascal5i", marks="box", loss="dice", num_queries=9)
    assert bench.train(variant, 2, tmp_path / "run", print) == tmp_path / "run" / "model"
    (run,) = runs
    assert (run.marks, run.loss, run.steps, run.device) == ("box", "dice", 7, "cpu")
    assert (run.learning_rate, run.batch) == (2e-4, 8)
    encoder = run.config.vrp_encoder
    assert (encoder.semantic_encoder, encoder.num_queries) == ("resnet50", 9)
    assert (encoder.image_size, run.config.sam.name) == (512, "vit_h")
    (data,) = run.data
    assert (data.folder, data.benchmark, data.fold) == (voc, "pascal5i", 2)


def test_questions_are_those_of_the_fold(bench: PaperBench) -> None:
    asked = bench.questions("pascal5i", 0)
    assert len(asked.episodes) == 6
    assert {e.label for e in asked.episodes} == {"aeroplane"}  # the bicycle has no reference
    question = asked.reader.to_paper_references(asked.episodes[0], "mask")
    assert question.truth.shape == (512, 512)


def test_domain_shift_asks_unseen_classes_only(bench: PaperBench) -> None:
    # Of PASCAL's classes a model of COCO's fold 1 has not seen the bicycle, of which there is one.
    with pytest.raises(ConfigError, match="no class"):
        bench.questions("coco_to_pascal", 1)
    assert {e.label for e in bench.questions("coco_to_pascal", 0).episodes} == {"aeroplane"}


def test_what_lacks_is_named(bench: PaperBench) -> None:
    pascal, coco = Variant(benchmark="pascal5i"), Variant(benchmark="coco20i")
    vgg = Variant(benchmark="coco20i", backbone="vgg16")
    assert bench.lacks(Run(pascal, Trial(test="pascal5i"), 0)) == ""
    assert bench.lacks(Run(coco, Trial(test="coco_to_pascal"), 0)) == "needs COCO"
    assert bench.lacks(Run(vgg, Trial(test="coco20i"), 0)) == "needs COCO and VGG-16"
    with pytest.raises(ConfigError, match="COCO was not given"):
        bench.questions("coco20i", 0)
    with pytest.raises(ConfigError, match="cannot be trained"):
        bench.train(vgg, 0, Path("unused"), print)


def test_sources_are_known_by_content_and_place(
    bench: PaperBench, voc: Path, tmp_path: Path
) -> None:
    variant = Variant(benchmark="pascal5i")
    same, other = tmp_path / "same.pth", tmp_path / "weights_2" / "weights.pth"
    other.parent.mkdir()
    same.write_bytes(b"")
    other.write_bytes(b"another")

    def of(sam: Path) -> Mapping[str, str]:
        files = PaperFiles(sam=sam, backbones=bench.files.backbones, pascal=voc)
        return PaperBench(files=files).training_sources(variant)

    assert of(same) == bench.training_sources(variant)
    assert of(other) != bench.training_sources(variant)
    assert str(voc.resolve()) not in of(same).values()
    assert bench.training_roots(variant) == {"learned_from": str(voc.resolve())}
    trial = Trial(test="pascal5i")
    assert bench.trial_sources(Run(variant, trial, 0)) == {"asked_of": str(voc.resolve())}


def test_no_episodes_are_not_the_usual_number(bench: PaperBench) -> None:
    with pytest.raises(ConfigError, match="episodes is 0"):
        PaperBench(files=bench.files, episodes=0)


def test_files_have_to_be_there(weights: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(ImageFileError, match=f"--coco {gone} is not a folder"):
        PaperFiles(sam=weights, backbones={}, coco=gone)
    with pytest.raises(WeightsError, match=f"{gone} does not exist"):
        PaperFiles(sam=gone, backbones={})
    with pytest.raises(WeightsError, match=f"{gone} does not exist"):
        PaperFiles(sam=weights, backbones={"vgg16_bn": gone})


def test_backbones_are_read() -> None:
    assert parse_backbones(["a.pth"]) == {"resnet50_v2": Path("a.pth")}
    assert parse_backbones(["vgg16_bn=b=c.pth"]) == {"vgg16_bn": Path("b=c.pth")}
    with pytest.raises(ConfigError, match="names no backbone"):
        parse_backbones(["vgg=b.pth"])
    with pytest.raises(ConfigError, match="resnet50_v2 twice"):
        parse_backbones(["a.pth", "resnet50_v2=b.pth"])

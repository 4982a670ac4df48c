"""The paper's run at a small size: only the VRP encoder learns, and what it writes opens."""

from __future__ import annotations

import csv
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from vrpsam_app.config import ModelConfig
from vrpsam_app.embeddings.store import EmbeddingStore
from vrpsam_app.errors import ChecksumMismatchError, ConfigError, WeightsError
from vrpsam_app.models.foundation import PATHS_NAME
from vrpsam_app.models.frozen_module import learned_state
from vrpsam_app.models.load import load_model
from vrpsam_app.models.paper_vrp_sam import PaperVRPSAM
from vrpsam_app.predictor import VRPSAMPredictor
from vrpsam_app.references import Reference
from vrpsam_app.training.batch_source import stream_batches
from vrpsam_app.training.frozen_features import FrozenFeatures
from vrpsam_app.training.objective import PUBLISHED
from vrpsam_app.training.pair_batches import PairPlan
from vrpsam_app.training.presets import paper_run
from vrpsam_app.training.run import TrainingRun, train
from vrpsam_app.training.run_log import VALIDATION, RunLog
from vrpsam_app.training.trainer import Trainer, TrainingOptions

Build = Callable[..., PaperVRPSAM]
Plans = Callable[..., PairPlan]
CPU = torch.device("cpu")


def silent(line: str) -> None:
    """Swallow a progress line."""


def losses(folder: Path) -> list[str]:
    with (folder / "log.csv").open() as file:
        return [row["loss"] for row in csv.DictReader(file)]


def options(steps: int, **changes: object) -> TrainingOptions:
    given = {"warmup": 0, "floor": 0.0, "decay": 0.0, "clip": None, "log_every": 1}
    given |= {"loss": PUBLISHED, "learning_rate": 1e-3, "decay_vectors": True, "weight_decay": 1e-6}
    return TrainingOptions(steps=steps, **{**given, **changes})


@pytest.fixture
def run(small_config: ModelConfig, foundation: dict[str, Path], blocks: type, tmp_path: Path):
    """Make a run of the small paper model on blocks."""

    def make(**changes: object) -> TrainingRun:
        given = {"config": small_config, "folder": tmp_path / "run", "data": (blocks(),)}
        given |= {**foundation, "steps": 2, "batch": 2, "workers": 0, "learning_rate": 1e-3}
        return TrainingRun(**{**given, **changes})

    return make


def trainer(folder: Path, model: PaperVRPSAM, **changes: object) -> Trainer:
    features = FrozenFeatures(model, EmbeddingStore(1 << 28), parts="all")
    return Trainer(model, options(20, **changes), folder, device=CPU, encode=features)


def test_stopped_and_resumed_equals_uninterrupted(
    paper_model: Build, pair_plan: Plans, tmp_path: Path
) -> None:
    def batches(first: int):
        return stream_batches(pair_plan(marks="mix"), first, workers=0)

    whole = trainer(tmp_path / "whole", paper_model())
    whole.run(batches, report=silent)
    first = trainer(tmp_path / "parts", paper_model())
    first.run(batches, until=lambda: first.step >= 7, report=silent)
    second = trainer(tmp_path / "parts", paper_model())
    assert second.step == 7
    second.run(batches, report=silent)
    assert len(losses(tmp_path / "whole")) == 20
    assert losses(tmp_path / "parts") == losses(tmp_path / "whole")
    for key, value in learned_state(whole.model).items():
        assert torch.equal(value, learned_state(second.model)[key]), key


def test_frozen_parts_get_no_gradient_and_stay(
    paper_model: Build, pair_plan: Plans, tmp_path: Path
) -> None:
    model = paper_model()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    learner = trainer(tmp_path, model)
    learner.run(
        lambda first: stream_batches(pair_plan(), first, workers=0),
        until=lambda: learner.step >= 2,
        report=silent,
    )
    learned = set(learned_state(model))
    assert {k.split(".")[1] for k in learned} == {"feature_augmenter", "prompt_generator"}
    changed = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert changed == learned
    for name, parameter in model.named_parameters():
        assert (parameter.grad is not None) == (name in learned), name
    stepped = [p for group in learner.optimizer.param_groups for p in group["params"]]
    assert len(stepped) == len(learned)


def test_two_half_batches_make_the_step_of_a_whole_one(
    paper_model: Build, pair_plan: Plans, tmp_path: Path
) -> None:
    def learned(size: int, accumulate: int) -> dict[str, torch.Tensor]:
        folder = tmp_path / str(size)
        learner = trainer(folder, paper_model(dropout=0.0), accumulate=accumulate)
        learner.run(
            lambda first: stream_batches(pair_plan(size=size), first, workers=0),
            until=lambda: learner.step >= 2,
            report=silent,
        )
        return learned_state(learner.model)

    whole, halves = learned(4, 1), learned(2, 2)
    for key, value in whole.items():
        torch.testing.assert_close(halves[key], value, rtol=1e-3, atol=1e-5)
    (a, b), (c, d) = (map(float, losses(tmp_path / size)) for size in ("4", "2"))
    assert (c, d) == pytest.approx((a, b), rel=1e-5)


def test_the_rate_falls_by_a_cosine_to_nothing_and_all_decays(
    paper_model: Build, tmp_path: Path
) -> None:
    learner = trainer(tmp_path, paper_model())
    rates = []
    for learner.step in range(21):
        rates.append(learner.rate())
    cosine = 0.5 * (1 + np.cos(np.pi * np.arange(21) / 20))
    np.testing.assert_allclose(rates, learner.options.learning_rate * cosine, atol=1e-12)
    decays = {g["weight_decay"]: len(g["params"]) for g in learner.optimizer.param_groups}
    assert decays[1e-6] == len(learned_state(learner.model))


def test_the_best_weights_can_be_kept(paper_model: Build, pair_plan: Plans, tmp_path: Path) -> None:
    model = paper_model()
    learner = trainer(tmp_path, model, keep="miou")
    figures = iter([0.3, 0.9, 0.5])
    seen: list[dict[str, torch.Tensor]] = []

    def validate(m: PaperVRPSAM) -> dict[str, float]:
        seen.append({k: v.clone() for k, v in learned_state(m).items()})
        return {"miou": next(figures)}

    learner.run(
        lambda first: stream_batches(pair_plan(), first, workers=0),
        until=lambda: learner.step >= 3,
        report=silent,
        validate=validate,
        validate_every=1,
    )
    resumed = trainer(tmp_path, paper_model(), keep="miou")
    folder = resumed.save_model(model.config, tmp_path / "model")
    for key, value in load_file(folder / "model.safetensors").items():
        assert torch.equal(value, seen[1][key]), key


def test_a_run_writes_what_it_learned_and_names_what_it_stands_on(
    run, foundation: dict[str, Path], tmp_path: Path
) -> None:
    lines: list[str] = []
    folder = train(run(steps=2, marks="scribble", loss="dice", minutes=60), lines.append)
    weights = load_file(folder / "model.safetensors")
    assert all(k.startswith(("vrp_encoder.feature_", "vrp_encoder.prompt_")) for k in weights)
    config = ModelConfig.load(folder)
    assert {k: v.file for k, v in config.foundation.items()} == {
        "sam": "sam_tiny.pth",
        "backbone": "backbone.safetensors",
    }
    assert config.training["marks"] == "scribble"
    assert config.training["options"]["loss"]["bce"] == 0
    assert str(tmp_path) not in (folder / "config.json").read_text()
    assert "6 pictures, 3 steps an epoch" in lines[0]
    predictor = VRPSAMPredictor.from_pretrained(folder, device="cpu")
    image = np.zeros((50, 40, 3), np.uint8)
    image[10:30, 10:30] = 200
    marked = Reference.from_mask(image, image[..., 0] > 0, exhaustive=True)
    assert predictor.predict(image, marked).probability.shape == (50, 40)


def test_a_model_without_its_foundation_says_what_it_needs(
    run, foundation: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = train(run(steps=1), silent)
    monkeypatch.setenv("VRPSAM_FOUNDATION", str(tmp_path / "elsewhere"))
    (folder / PATHS_NAME).unlink()
    with pytest.raises(WeightsError, match=r"weights of SAM, sam_tiny\.pth .*elsewhere"):
        load_model(folder)
    (tmp_path / "elsewhere").mkdir()
    for file in foundation.values():
        shutil.copy(file, tmp_path / "elsewhere")
    assert isinstance(load_model(folder)[0], PaperVRPSAM)
    (tmp_path / "elsewhere" / "sam_tiny.pth").write_bytes(b"something else")
    with pytest.raises(ChecksumMismatchError, match="is another file"):
        load_model(folder)


def test_a_run_can_begin_with_what_another_learned(run, tmp_path: Path) -> None:
    first = train(run(steps=2, folder=tmp_path / "a"), silent)
    again = train(run(steps=0, folder=tmp_path / "b", start_from=first), silent)
    ours, theirs = (load_file(f / "model.safetensors") for f in (first, again))
    assert all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_a_run_goes_on_only_as_what_it_was_begun_as(run, blocks: type) -> None:
    folder = train(run(), silent)
    before = (folder / "config.json").read_bytes()
    other = {"data": (blocks(name="fold1"),), "seed": 5, "learning_rate": 9e-3}
    with pytest.raises(ConfigError, match="another data, learning-rate, loss, marks, seed: repeat"):
        train(run(**other, marks="box", loss="dice"), silent)
    start = train(run(folder=folder.with_name("start")), silent)
    with pytest.raises(ConfigError, match="another start-from:"):
        train(run(start_from=start), silent)
    assert (folder / "config.json").read_bytes() == before
    train(run(steps=3, minutes=60, export=folder.with_name("export")), silent)
    assert ModelConfig.load(folder.with_name("export")).training["steps"] == 3


def test_epochs_say_how_long(run) -> None:
    folder = train(run(steps=None, epochs=1, accumulate=3, export=None), silent)
    training = ModelConfig.load(folder).training
    assert (training["steps"], training["epochs"]) == (1, 1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sam": None}, "give --sam"),
        ({"sam": None, "backbone": None}, "--sam and --backbone"),
        ({"data": ()}, "give --data"),
        ({"keep": "best"}, "part to validate on"),
        ({"batch": 0}, "batch=0"),
    ],
)
def test_what_is_missing_is_named(run, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        train(run(**changes), silent)


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    """Write VOC's layout: two classes of each fold, each in four pictures, in both parts."""
    root = tmp_path / "VOC2012"
    for part in ("JPEGImages", "SegmentationClassAug", "ImageSets/Segmentation"):
        (root / part).mkdir(parents=True)
    parts: dict[str, list[str]] = {"trainaug": [], "val": []}
    for part, names in parts.items():
        for value in (1, 2, 6, 7):
            for k in range(4):
                name = f"{part}_{value}_{k}"
                labels = np.zeros((70, 70), np.uint8)
                labels[4:60, 4 + k : 60 + k] = 255
                labels[7:57, 7 + k : 57 + k] = value
                picture = np.full((70, 70, 3), 100, np.uint8)
                picture[labels == value] = (30 * value, 200, 0)
                Image.fromarray(picture).save(root / "JPEGImages" / f"{name}.jpg")
                Image.fromarray(labels).save(root / "SegmentationClassAug" / f"{name}.png")
                names.append(name)
        (root / "ImageSets/Segmentation" / f"{part}.txt").write_text("\n".join(names))
    return root


def test_a_fold_of_pascal_is_learned_without_its_classes(
    voc: Path, small_config: ModelConfig, foundation: dict[str, Path], tmp_path: Path
) -> None:
    lines: list[str] = []
    made = paper_run(
        "paper-pascal",
        voc,
        0,
        tmp_path / "run",
        **foundation,
        config=small_config,
        steps=3,
        batch=2,
        workers=0,
        validate_every=1,
        validation_episodes=4,
        keep="best",
    )
    folder = train(made, lines.append)
    assert "8 pictures, 4 steps an epoch, a part to validate on" in lines[0]
    rows = RunLog(tmp_path / "run").read(VALIDATION)
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    assert all(0 <= float(row["miou"]) <= 1 for row in rows)
    assert (tmp_path / "run" / "curves.png").exists()
    config = ModelConfig.load(folder)
    assert config.name == "paper-pascal-fold0"
    (data,) = config.training["data"]
    assert (data["benchmark"], data["fold"], data["name"]) == ("pascal5i", 0, "VOC2012")
    config = dataclasses.replace(config, foundation={})
    assert ModelConfig.from_json(config.to_json()) == config

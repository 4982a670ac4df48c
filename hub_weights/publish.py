"""A model to the Hub: planned, shown, then sent in one commit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub_weights.checksums import SUMS_NAME, write_sums
from hub_weights.errors import PublishError
from hub_weights.file_names import RepoName, check_file_name
from hub_weights.hub_errors import endpoint, hub_errors
from hub_weights.model_card import build_card, measurements_of
from hub_weights.model_folder import CONFIG_NAME, WEIGHTS_NAME, ModelFolder

CARD_NAME = "README.md"
SUMMARY_NAME = "summary.json"
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, slots=True)
class Publication:
    """What would be sent.

    Attributes
    ----------
    repo_id : where to
    card : text of ``README.md``
    files : on this computer, by their names in the repository
    """

    repo_id: str
    card: str
    files: tuple[tuple[str, Path], ...]

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of every file, the card first."""
        sizes = {CARD_NAME: len(self.card.encode("utf-8"))}
        return sizes | {name: path.stat().st_size for name, path in self.files}


def note_facts(
    folder: Path, *, license: str | None = None, trained_on: str | None = None
) -> ModelFolder:
    """Write into a model's configuration what only a person knows, and the sums anew.

    Parameters
    ----------
    folder : Path
        Of the model.
    license : str, optional
        An SPDX identifier, such as apache-2.0; None leaves what is there.
    trained_on : str, optional
        What the model learned from, in words; what else is recorded of its training stays.

    Raises
    ------
    PublishError
        If the configuration cannot be read or written.
    HubWeightsError
        If the folder holds no whole model.
    """
    model = ModelFolder.open(folder)
    config = _configuration(model)
    if license is not None:
        config["license"] = license
    if trained_on is not None:
        config["training"] = {**(config.get("training") or {}), "learned_from": trained_on}
    partial = model.config.with_suffix(".json.part")
    try:
        partial.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        partial.replace(model.config)
        write_sums(folder, (CONFIG_NAME, WEIGHTS_NAME))
    except OSError as error:
        raise PublishError(
            f"{model.config} cannot be written ({error}): copy the model into a folder of your own."
        ) from error
    return model


def plan_publication(
    folder: Path,
    repo_id: str,
    *,
    evaluation: Path | None = None,
    pictures: Sequence[Path] = (),
    about: Path | None = None,
) -> Publication:
    """Check that a model may be published, and write its card.

    Nothing else in the folder is sent: not the state of a training run, not paths of this computer.

    Parameters
    ----------
    folder : Path
        Of the model.
    repo_id : ``organisation/name``
    evaluation : Path, optional
        ``summary.json`` of ``vrpsam evaluate``, or the folder that holds it; by default the one in
        the model's folder.
    pictures : sequence of Path
        Shown in the card.
    about : Path, optional
        A text in Markdown that the card begins with.

    Raises
    ------
    PublishError
        If there is no evaluation of these weights, no licence, nothing about the training, or a
        file cannot be read.
    HubWeightsError
        If the folder holds no whole model, or `repo_id` is no name of a repository.
    """
    repo = RepoName.parse(repo_id)
    if repo is None or repo.revision is not None:
        raise PublishError(f"{repo_id!r} is no name of a repository: expected organisation/name.")
    model = ModelFolder.open(folder)
    config = _configuration(model)
    if str(config.get("license") or "unknown") == "unknown":
        raise PublishError(
            f"{model.config} names no licence: nobody may use what has none. Give --license (in "
            "Python hub_weights.note_facts) with an SPDX identifier such as apache-2.0, which is "
            "written there."
        )
    if not config.get("training"):
        raise PublishError(
            f"{model.config} does not say what the model learned from. Give --trained-on (in "
            "Python hub_weights.note_facts) with words for it, which are written there."
        )
    for part, file in (config.get("foundation") or {}).items():
        check_file_name(file.get("file"), where=f"foundation.{part} of {model.config}")
    summary_path = _summary(folder, evaluation)
    summary = _json(summary_path)
    measured = measurements_of(summary, model.sha256, str(summary_path))
    names = _picture_names(pictures)
    card = build_card(
        repo_id,
        config,
        measured,
        command=str(summary.get("command", "")) if isinstance(summary, dict) else "",
        pictures=tuple(names),
        about="" if about is None else _text(about),
    )
    sums = folder / SUMS_NAME
    files = (
        (CONFIG_NAME, model.config),
        (WEIGHTS_NAME, model.weights),
        *(((SUMS_NAME, sums),) if sums.is_file() else ()),
        (SUMMARY_NAME, summary_path),
        *names.items(),
    )
    return Publication(repo_id, card, files)


def publish_model(
    publication: Publication,
    *,
    private: bool = False,
    message: str = "Publish the model",
    token: str | bool | None = None,
) -> str:
    """Make the repository if it does not exist, send everything in one commit, return its address.

    Raises
    ------
    HubWeightsError
        Whatever goes wrong; the repository then holds what it held before.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    repo_id = publication.repo_id
    operations = [
        CommitOperationAdd(CARD_NAME, publication.card.encode("utf-8")),
        *(CommitOperationAdd(name, path) for name, path in publication.files),
    ]
    with hub_errors(repo_id, repo_id):
        api = HfApi(token=token)
        api.create_repo(repo_id, private=private, exist_ok=True)
        try:
            api.create_commit(repo_id, operations, commit_message=message)
        except RuntimeError as error:
            # The library wraps what goes wrong with one file.
            if isinstance(error.__cause__, OSError):
                raise error.__cause__ from error
            raise PublishError(f"{repo_id} was not changed: {error}") from error
        except ValueError as error:
            if isinstance(error, OSError):  # an answer of the Hub
                raise
            raise PublishError(f"The Hub refuses what {repo_id} would hold: {error}") from error
    return f"{endpoint()}/{repo_id}"


def _summary(folder: Path, given: Path | None) -> Path:
    path = folder if given is None else given
    path = path / SUMMARY_NAME if path.is_dir() else path
    if not path.is_file():
        raise PublishError(
            f"There is no evaluation of the model: {path} does not exist. A card says only what "
            "was measured: `vrpsam evaluate --model FOLDER --data ... --out RESULTS`, then give "
            "--evaluation RESULTS."
        )
    return path


def _picture_names(pictures: Sequence[Path]) -> dict[str, Path]:
    names: dict[str, Path] = {}
    for picture in pictures:
        if picture.suffix.lower() not in PICTURE_ENDINGS or not picture.is_file():
            raise PublishError(
                f"{picture} is no picture: expected a file ending in {', '.join(PICTURE_ENDINGS)}."
            )
        name = f"pictures/{check_file_name(picture.name, where='--picture')}"
        if name in names:
            raise PublishError(f"Two pictures are called {picture.name}: rename one.")
        names[name] = picture
    return names


def _configuration(model: ModelFolder) -> dict[str, Any]:
    config = _json(model.config)
    if not isinstance(config, dict):
        raise PublishError(f"{model.config} is no configuration: expected a JSON object.")
    return config


def _json(path: Path) -> object:
    try:
        content: object = json.loads(_text(path))
    except ValueError as error:
        raise PublishError(f"{path} is not valid JSON ({error}).") from error
    return content


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PublishError(f"{path} cannot be read ({error}).") from error

"""One JSON file that says what was run, complete enough to run it again.

The annotated references are inside, pixels and marks, so that a recipe outlives the pictures it was
made from; targets are named by the hash of their pixels, because there may be many and large ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.errors import ConfigError
from vrpsam_app.image_files import MAX_PIXELS, write_whole
from vrpsam_app.images import IntensityRange
from vrpsam_app.json_fields import json_image_shape, json_list, json_object, json_text
from vrpsam_app.references import Reference
from vrpsam_app.stored_references import references_from_json, references_to_json

SCHEMA_VERSION = 1

_MAX_TARGETS = 10_000_000


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """Which image was segmented, recognised by its pixels whatever file holds them.

    Parameters
    ----------
    name
        Name of the file or layer, for people.
    sha256
        Of element type, shape and pixels; see :func:`pixels_sha256`.
    shape
        (H, W) or (H, W, channels).
    """

    name: str
    sha256: str
    shape: tuple[int, ...]

    @classmethod
    def from_image(cls, name: str, image: NDArray[Any]) -> TargetRecord:
        """Record `image` under `name`."""
        return cls(name=name, sha256=pixels_sha256(image), shape=image.shape)


@dataclass(frozen=True, eq=False)
class Recipe:
    """What was run: references, targets, model, intensity range and settings.

    Parameters
    ----------
    references
        The annotated examples, equal to those that were used.
    targets
        The images that were segmented.
    made_by
        What :meth:`VRPSAMPredictor.describe` said: name and hash of the model, precision, device,
        versions.
    intensity_range
        The range that was shown to the model as black to white; None where all images had 8 bits.
    settings
        Plain values: the threshold and what else a surface let the person choose.

    Examples
    --------
    >>> recipe = Recipe.from_run(references, targets, predictor.describe())  # doctest: +SKIP
    >>> recipe.save(Path("results/recipe.json"))  # doctest: +SKIP
    """

    references: tuple[Reference, ...]
    targets: tuple[TargetRecord, ...]
    made_by: Mapping[str, Any]
    intensity_range: IntensityRange | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_run(
        cls,
        references: Sequence[Reference],
        targets: Sequence[TargetRecord],
        made_by: Mapping[str, Any],
        *,
        intensity_range: IntensityRange | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Recipe:
        """Collect what a run used; `made_by` and `settings` become plain JSON values."""
        return cls(
            references=tuple(references),
            targets=tuple(targets),
            made_by=_plain(made_by),
            intensity_range=intensity_range,
            settings=_plain(settings or {}),
        )

    @property
    def threshold(self) -> float:
        """Probability from which a pixel belonged to the object.

        Raises
        ------
        ConfigError
            If the settings hold one that is not between 0 and 1.
        """
        value = self.settings.get("threshold", 0.5)
        if not isinstance(value, int | float) or not 0 < value < 1:
            raise ConfigError(
                f"The recipe's threshold is {value!r}: expected a number between 0 and 1. Use a "
                "copy of the original recipe."
            )
        return float(value)

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries, lists and numbers, ready for :mod:`json`."""
        intensity = self.intensity_range
        return {
            "schema_version": SCHEMA_VERSION,
            "made_by": dict(self.made_by),
            "settings": dict(self.settings),
            "intensity_range": None if intensity is None else [intensity.low, intensity.high],
            "targets": [
                {"name": target.name, "sha256": target.sha256, "shape": list(target.shape)}
                for target in self.targets
            ],
            **references_to_json(self.references),
        }

    def save(self, path: Path, *, overwrite: bool = False) -> Path:
        """Write the recipe to `path`: the whole file or nothing.

        Raises
        ------
        OutputError
            If `path` exists and `overwrite` is False, or cannot be written.
        """
        text = json.dumps(self.to_json(), indent=1) + "\n"
        write_whole(path, text.encode("utf-8"), overwrite=overwrite)
        return path

    @classmethod
    def from_json(cls, data: object) -> Recipe:
        """Build a recipe from what :meth:`to_json` gave; the input may come from anyone.

        Raises
        ------
        ConfigError
            If a field is missing or malformed, or the schema version is another.
        """
        recipe = json_object(data, "the recipe")
        version = recipe.get("schema_version")
        if version != SCHEMA_VERSION:
            raise ConfigError(
                f"The recipe has schema version {version!r}, this release reads version "
                f"{SCHEMA_VERSION}. Replay it with the release that wrote it."
            )
        targets = json_list(recipe.get("targets"), "targets", _MAX_TARGETS)
        return cls(
            references=references_from_json(recipe),
            targets=tuple(
                _target_from_json(target, f"targets[{i}]") for i, target in enumerate(targets)
            ),
            made_by=json_object(recipe.get("made_by"), "made_by"),
            intensity_range=_range_from_json(recipe.get("intensity_range")),
            settings=json_object(recipe.get("settings"), "settings"),
        )

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """Read the recipe at `path`.

        Raises
        ------
        ConfigError
            If the file is missing, is not JSON, or is not a recipe of this release.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(
                f"The recipe {path} cannot be read ({error.strerror}). Give the path of a "
                "recipe.json that a run wrote."
            ) from error
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                f"{path} is not valid JSON ({error}). Give the path of a recipe.json that a run "
                "wrote."
            ) from error
        try:
            return cls.from_json(data)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error

    def promise(self, made_by: Mapping[str, Any]) -> str:
        """Say in one sentence how equal a replay by `made_by` will be to the recorded run."""
        differing = differing_keys(self.made_by, _plain(made_by))
        if not differing:
            return "Replay on the same model, device and versions: equal targets give equal masks."
        if {"method", "sha256"} & set(differing):
            return (
                f"Replay with another model than {self.made_by.get('model')!r}, which the recipe "
                "records: masks will differ."
            )
        return (
            f"Replay with the recorded weights, but another {', '.join(differing)}: up to 0.01 % "
            "of the pixels of a mask may differ."
        )


def pixels_sha256(image: NDArray[Any]) -> str:
    """Return the SHA-256 of an image's element type, shape and pixels, in hexadecimal.

    Parameters
    ----------
    image : any shape and dtype
        Byte order and memory layout make no difference.
    """
    plain = np.ascontiguousarray(image, dtype=image.dtype.newbyteorder("<"))
    digest = hashlib.sha256(f"{plain.dtype.str} {plain.shape} ".encode())
    digest.update(plain.data)
    return digest.hexdigest()


def differing_keys(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name the entries that differ, nested ones as ``versions.torch``."""
    names = []
    for key in sorted(set(recorded) | set(now)):
        old, new = recorded.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            names += [f"{key}.{inner}" for inner in differing_keys(old, new)]
        elif old != new:
            names.append(key)
    return names


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as JSON gives them back, so that what was loaded equals what was saved."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(values), default=str))
    return plain


def _target_from_json(value: object, where: str) -> TargetRecord:
    item = json_object(value, where)
    return TargetRecord(
        name=json_text(item.get("name"), f"{where}.name"),
        sha256=json_text(item.get("sha256"), f"{where}.sha256"),
        shape=json_image_shape(item.get("shape"), f"{where}.shape", MAX_PIXELS),
    )


def _range_from_json(value: object) -> IntensityRange | None:
    if value is None:
        return None
    low_high = json_list(value, "intensity_range", 2)
    try:
        low, high = low_high
        return IntensityRange(low, high)  # type: ignore[arg-type]  # checks what it is given
    except ValueError as error:
        raise ConfigError(
            f"intensity_range is {value!r}: expected null or two finite numbers, the lower one "
            "first. Use a copy of the original recipe."
        ) from error

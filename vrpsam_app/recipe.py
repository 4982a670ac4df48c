"""One JSON file that says what was run, complete enough to run it again.

The annotated references are inside, pixels and marks, so that a recipe outlives the pictures it was
made from; targets are named by the hash of their pixels, because there may be many and large ones.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vrpsam_app.environment import current_environment
from vrpsam_app.errors import ConfigError
from vrpsam_app.image_files import write_whole
from vrpsam_app.images import IntensityRange
from vrpsam_app.json_fields import (
    json_bool,
    json_image_shape,
    json_list,
    json_object,
    json_plain,
    json_text,
    json_whole,
)
from vrpsam_app.references import Reference
from vrpsam_app.replay_promise import replay_promise
from vrpsam_app.stored_references import references_from_json, references_to_json

SCHEMA_VERSION = 2
# Version 1 had no environment, no sections and single planes only.
READABLE_VERSIONS = (1, 2)

# What a run may do beside asking the model; whoever does it writes its section and reads it back.
SECTIONS = ("corrections", "drawn", "links", "memory", "objects", "reading", "stack", "tiling")
# What changes no result: pictures of it that were written as well.
_ASIDE = frozenset({"drawn"})

_MAX_TARGETS = 10_000_000
_MAX_AXES = 8
_MAX_TARGET_PIXELS = 2**48


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
        (H, W) or (H, W, channels), after one length for each of `axes`.
    axes
        Names of the leading axes of a stack, such as ``("t", "z")``; empty for a picture.
    results
        Files beside the recipe that were written for a picture, each with its SHA-256.
    """

    name: str
    sha256: str
    shape: tuple[int, ...]
    axes: tuple[str, ...] = ()
    results: Mapping[str, str] = field(default_factory=dict, hash=False)

    @classmethod
    def from_image(cls, name: str, image: NDArray[Any]) -> TargetRecord:
        """Record `image` under `name`."""
        return cls(name=name, sha256=pixels_sha256(image), shape=image.shape)

    @classmethod
    def from_planes(
        cls, name: str, axes: Sequence[str], shape: Sequence[int], plane_sums: Iterable[str]
    ) -> TargetRecord:
        """Record a stack whose planes were hashed one by one, as they were read.

        Parameters
        ----------
        axes : names of the leading axes
        shape : of the whole stack, leading axes first
        plane_sums : :func:`pixels_sha256` of every plane, the last leading axis running fastest
        """
        digest = hashlib.sha256(f"{tuple(shape)} ".encode())
        for plane_sum in plane_sums:
            digest.update(bytes.fromhex(plane_sum))
        return cls(name, digest.hexdigest(), tuple(shape), tuple(axes))

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        plain = {"name": self.name, "sha256": self.sha256, "shape": list(self.shape)}
        axes = {"axes": list(self.axes)} if self.axes else {}
        # In one order, however many runs wrote them.
        results = {"results": dict(sorted(self.results.items()))} if self.results else {}
        return {**plain, **axes, **results}


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
    range_given
        Whether a person chose that range; else it was found in the images. None if the recipe is
        of a release that did not say.
    settings
        Plain values: the threshold and what else a surface let the person choose.
    sections
        What was done beside asking the model, by the names in `SECTIONS`: how objects were told
        apart, how results were corrected, how planes were cut into tiles, which axes of a stack
        were gone through. Each holds plain values that only its own module understands.
    environment
        What :func:`vrpsam_app.environment.current_environment` said: code, machine, threads.

    Raises
    ------
    ConfigError
        If a section is unknown or holds anything but plain values.

    Examples
    --------
    >>> recipe = Recipe.from_run(references, targets, predictor.describe())  # doctest: +SKIP
    >>> recipe.save("results/recipe.json")  # doctest: +SKIP
    """

    references: tuple[Reference, ...]
    targets: tuple[TargetRecord, ...]
    made_by: Mapping[str, Any]
    intensity_range: IntensityRange | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    range_given: bool | None = False

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.sections) - set(SECTIONS)):
            raise ConfigError(
                f"The recipe has a section {unknown[0]!r}: expected {', '.join(SECTIONS)}. A newer "
                "release wrote it: replay it with that one."
            )
        checked = {
            name: json_plain(json_object(section, f"sections.{name}"), f"sections.{name}")
            for name, section in self.sections.items()
        }
        object.__setattr__(self, "sections", checked)

    @classmethod
    def from_run(
        cls,
        references: Sequence[Reference],
        targets: Sequence[TargetRecord],
        made_by: Mapping[str, Any],
        *,
        intensity_range: IntensityRange | None = None,
        range_given: bool = False,
        settings: Mapping[str, Any] | None = None,
        sections: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Recipe:
        """Collect what a run used, and what it ran on; `made_by` and `settings` become plain."""
        return cls(
            references=tuple(references),
            targets=tuple(targets),
            made_by=_plain(made_by),
            intensity_range=intensity_range,
            range_given=range_given,
            settings=_plain(settings or {}),
            sections=sections or {},
            environment=current_environment(),
        )

    @property
    def threshold(self) -> float:
        """Probability from which a pixel belonged to the object.

        Raises
        ------
        ConfigError
            If the settings hold something else than a number in [0, 1].
        """
        value = self.settings.get("threshold", 0.5)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
        raise ConfigError(
            f"The recipe's threshold is {value!r}: expected a number from 0 to 1. Use a copy of "
            "the original recipe."
        )

    @property
    def model(self) -> str | None:
        """Name of the model that was used, None if the recipe does not say."""
        name = self.made_by.get("model")
        return name if isinstance(name, str) else None

    def count_known(self, targets: Iterable[TargetRecord]) -> int:
        """Count targets whose pixels are those of recorded ones, whatever they are called."""
        known = {(target.sha256, target.shape) for target in self.targets}
        return sum((target.sha256, target.shape) in known for target in targets)

    def question(self) -> dict[str, Any]:
        """Return, as plain values, what another run has to ask as well for equal results."""
        intensity = self.intensity_range
        return _plain(
            {
                "made_by": self.made_by,
                "references": [[r.label, r.content_key] for r in self.references],
                "intensity_range": None if intensity is None else [intensity.low, intensity.high],
                "settings": self.settings,
                "sections": {k: v for k, v in self.sections.items() if k not in _ASIDE},
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain dictionaries, lists and numbers, ready for :mod:`json`."""
        intensity = self.intensity_range
        return {
            "schema_version": SCHEMA_VERSION,
            "made_by": dict(self.made_by),
            "environment": dict(self.environment),
            "settings": dict(self.settings),
            "sections": {name: dict(section) for name, section in self.sections.items()},
            "intensity_range": None if intensity is None else [intensity.low, intensity.high],
            "range_given": self.range_given,
            "targets": [target.to_json() for target in self.targets],
            **references_to_json(self.references),
        }

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the recipe to `path`: the whole file or nothing.

        Raises
        ------
        OutputError
            If `path` exists and `overwrite` is False, or cannot be written.
        """
        path = Path(path).expanduser()
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
        if version not in READABLE_VERSIONS or isinstance(version, bool):
            raise ConfigError(
                f"The recipe has schema version {version!r}, this release reads "
                f"{' and '.join(map(str, READABLE_VERSIONS))}. Replay it with the release that "
                "wrote it."
            )
        targets = json_list(recipe.get("targets"), "targets", _MAX_TARGETS)
        given = recipe.get("range_given")
        return cls(
            references=references_from_json(recipe),
            targets=tuple(
                _target_from_json(target, f"targets[{i}]") for i, target in enumerate(targets)
            ),
            made_by=json_object(recipe.get("made_by"), "made_by"),
            intensity_range=_range_from_json(recipe.get("intensity_range")),
            range_given=None if given is None else json_bool(given, "range_given"),
            settings=json_object(recipe.get("settings"), "settings"),
            sections=json_object(recipe.get("sections", {}), "sections"),
            environment=json_object(recipe.get("environment", {}), "environment"),
        )

    @classmethod
    def load(cls, path: str | Path) -> Recipe:
        """Read the recipe at `path`.

        Raises
        ------
        ConfigError
            If the file is missing, is not JSON, or is not a recipe of this release.
        """
        path = Path(path).expanduser()
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

    def promise(
        self, made_by: Mapping[str, Any], environment: Mapping[str, Any] | None = None
    ) -> str:
        """Say in one sentence how equal a replay will be to the recorded run.

        Parameters
        ----------
        made_by : what the predictor of the replay says of itself
        environment : None takes that of this process
        """
        now = current_environment() if environment is None else environment
        return replay_promise(self.made_by, self.environment, _plain(made_by), _plain(now))


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


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as JSON gives them back, so that what was loaded equals what was saved."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(values), default=str))
    return plain


def _target_from_json(value: object, where: str) -> TargetRecord:
    item = json_object(value, where)
    name = json_text(item.get("name"), f"{where}.name")
    sha256 = json_text(item.get("sha256"), f"{where}.sha256")
    axes = json_list(item.get("axes", []), f"{where}.axes", _MAX_AXES)
    shape = json_list(item.get("shape"), f"{where}.shape", _MAX_AXES + 3)
    lengths = tuple(
        json_whole(n, f"{where}.shape[{i}]", least=1) for i, n in enumerate(shape[: len(axes)])
    )
    plane = json_image_shape(shape[len(axes) :], f"{where}.shape", _MAX_TARGET_PIXELS)
    names = tuple(json_text(axis, f"{where}.axes[{i}]") for i, axis in enumerate(axes))
    results = json_object(item.get("results", {}), f"{where}.results")
    sums = {file: json_text(s, f"{where}.results[{file!r}]") for file, s in results.items()}
    return TargetRecord(name, sha256, lengths + plane, names, sums)


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

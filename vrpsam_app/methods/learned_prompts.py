"""Prompts that were learned: a value, and a folder with its configuration and weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from hub_weights.checksums import verify, write_sums
from hub_weights.model_folder import CONFIG_NAME, WEIGHTS_NAME
from vrpsam_app.errors import ConfigError, OutputError, WeightsError
from vrpsam_app.json_fields import json_bool, json_object, json_plain, json_whole
from vrpsam_app.models.filling import fill
from vrpsam_app.models.prompt_learner import PromptLearner, PromptLearnerConfig
from vrpsam_app.output_paths import prepare_folder
from vrpsam_app.weights_errors import weights_errors

FORMAT = "prompt_learner_version"
"""Field of the configuration by which such a folder is told from a model's."""

VERSION = 1


@dataclass(frozen=True, eq=False)
class LearnedPrompts:
    """What was learned, and from what.

    Attributes
    ----------
    config : sizes of the learner
    weights : its tensors by name, on the CPU, fp32
    facts : settings, the model learned on, numbers of pictures, objects and parameters; JSON
    """

    config: PromptLearnerConfig
    weights: Mapping[str, Tensor]
    facts: Mapping[str, Any]

    @classmethod
    def of(cls, learner: PromptLearner, facts: Mapping[str, Any]) -> Self:
        """Copy what a learner has learned."""
        weights = {
            name: value.detach().to("cpu", torch.float32, copy=True).contiguous()
            for name, value in learner.state_dict().items()
        }
        return cls(learner.config, weights, json_plain(dict(facts), "facts"))

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        return sum(w.numel() * w.element_size() for w in self.weights.values())

    @property
    def parameter_count(self) -> int:
        """How many numbers were learned."""
        return sum(w.numel() for w in self.weights.values())

    @cached_property
    def sha256(self) -> str:
        """Sum over all weights, hexadecimal: which ones they are."""
        digest = hashlib.sha256()
        for name in sorted(self.weights):
            digest.update(name.encode() + self.weights[name].numpy().tobytes())
        return digest.hexdigest()

    def with_facts(self, **more: Any) -> LearnedPrompts:
        """Return the same weights with more said about them."""
        return replace(self, facts=json_plain({**self.facts, **more}, "facts"))

    def build(self, device: torch.device) -> PromptLearner:
        """Return the learner, in evaluation mode, without gradients."""
        learner = PromptLearner(self.config)
        learner.load_state_dict(dict(self.weights))
        return learner.to(device).eval().requires_grad_(False)

    def save(self, folder: str | Path) -> Path:
        """Write the folder.

        Raises
        ------
        OutputError
            If it cannot be written, or holds learned prompts or a model already.
        """
        from safetensors.torch import save_file

        root = prepare_folder(Path(folder))
        if (root / CONFIG_NAME).exists():
            raise OutputError(
                f"{root} holds a {CONFIG_NAME} already: choose another folder, or remove it first."
            )
        content = {FORMAT: VERSION, "learner": asdict(self.config), **self.facts}
        try:
            partial = root / f"{WEIGHTS_NAME}.part"
            save_file(dict(self.weights), partial)
            partial.replace(root / WEIGHTS_NAME)
            write_sums(root, (WEIGHTS_NAME,))
            # Last, because it is what makes the folder one.
            (root / CONFIG_NAME).write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        except OSError as error:
            raise OutputError(
                f"{root} cannot be written ({error.strerror}): choose another folder, or make room."
            ) from error
        return root

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read the folder.

        Raises
        ------
        ConfigError
            If there are no learned prompts in it.
        WeightsError
            If the weights are missing or damaged, or are others than were written.
        WeightsMismatchError
            If they do not fit the configuration.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        root = Path(folder).expanduser()
        config, facts = _configuration(root / CONFIG_NAME)
        with weights_errors():
            verify(root, WEIGHTS_NAME)
        try:
            weights = {k: v.float() for k, v in load_file(root / WEIGHTS_NAME).items()}
        except (SafetensorError, OSError) as error:
            raise WeightsError(
                f"{root / WEIGHTS_NAME} cannot be read as safetensors ({error}). Learn the prompts "
                "again, or use a copy of the original."
            ) from error
        fill(PromptLearner(config), weights, str(root / WEIGHTS_NAME))
        return cls(config, weights, facts)


def _configuration(path: Path) -> tuple[PromptLearnerConfig, dict[str, Any]]:
    try:
        content = json_object(json.loads(path.read_text(encoding="utf-8")), str(path))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}): expected a folder that "
            "`vrpsam learn-prompts` wrote."
        ) from error
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON ({error}).") from error
    if content.pop(FORMAT, None) != VERSION:
        raise ConfigError(
            f"{path} says nothing of learned prompts that this release can read: expected a folder "
            "that `vrpsam learn-prompts` wrote."
        )
    sizes = json_object(content.pop("learner", None), f"{path}: learner")
    names = PromptLearnerConfig.__dataclass_fields__
    if set(sizes) != set(names):
        raise ConfigError(f"{path}: learner has {sorted(sizes)}: expected {sorted(names)}.")
    draws_map = json_bool(sizes.pop("map"), f"{path}: learner.map")
    numbers = {n: json_whole(v, f"{path}: learner.{n}", least=1) for n, v in sizes.items()}
    return PromptLearnerConfig(**numbers, map=draws_map), json_plain(content, str(path))

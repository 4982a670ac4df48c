"""Prompt learner: a small module between a frozen SAM's prompt encoder and its mask decoder.

============================  ============  ==================================================
step                          shape         what
============================  ============  ==================================================
self-attention                (B, N, C)     the prompts of one question see each other
cross-attention               (B, N, C)     each looks at the picture, first of all where it is
multilayer perceptron         (B, N, C)     and moves in the space of SAM's prompts
============================  ============  ==================================================

Prompts keep their number; each step adds to them. The last weights of each step begin at zero, so
that a learner that has learned nothing gives back what it was given, and SAM answers as it does.

Where the decoder hardly listens to prompts, as that of the embedded model, which leans on its
prior, adjusted prompts also draw a map of their own, which is added to the answer; it begins at
zero too.

The order of the three steps, and that SAM stays as it is, are those of the prompt learning module
of arXiv:2403.09199, as its summaries tell it; sizes, start, map and everything else are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vrpsam_app.errors import ConfigError, WeightsMismatchError

SHARPNESS = 2.0
"""Gain of the first projections of queries and keys, which are equal: places find each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptLearnerConfig:
    """Sizes of a prompt learner.

    Attributes
    ----------
    prompt_dim : channels of the SAM's prompts, 256 in all published ones
    heads : of both attentions
    layers : how often the three steps are taken
    map : whether prompts draw a map
    """

    prompt_dim: int
    heads: int = 8
    layers: int = 1
    map: bool = False

    def __post_init__(self) -> None:
        if min(self.prompt_dim, self.heads, self.layers) < 1 or self.prompt_dim % (2 * self.heads):
            raise ConfigError(
                f"A prompt learner of {self.prompt_dim} channels, {self.heads} heads and "
                f"{self.layers} layers cannot be built: expected positive numbers, and channels "
                "that are a multiple of twice the heads."
            )


class PromptLearner(nn.Module):
    """Adjust prompts to what a person means by them.

    Parameters
    ----------
    config : PromptLearnerConfig

    Examples
    --------
    >>> learner = PromptLearner(PromptLearnerConfig(prompt_dim=256))
    >>> learner(torch.ones(4, 2, 256), torch.ones(1, 256, 8, 8), torch.ones(1, 256, 8, 8)).shape
    torch.Size([4, 2, 256])
    """

    def __init__(self, config: PromptLearnerConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.map_head = _MapHead(config.prompt_dim) if config.map else None

    def forward(self, prompts: Tensor, image_embedding: Tensor, image_pe: Tensor) -> Tensor:
        """Adjust prompts.

        Parameters
        ----------
        prompts : shape (B, N, C), float
            What SAM's prompt encoder made of points and boxes, or visual prompts.
        image_embedding : shape (B, C, h, w) or (1, C, h, w), float
        image_pe : shape (1, C, h, w), float
            Positional encoding of the grid.

        Returns
        -------
        adjusted : shape (B, N, C)

        Raises
        ------
        WeightsMismatchError
            If the prompts are those of a SAM with other channels.
        """
        if prompts.shape[-1] != self.config.prompt_dim:
            raise WeightsMismatchError(
                f"These prompts were learned on a SAM with prompts of {self.config.prompt_dim} "
                f"channels, this one has {prompts.shape[-1]}. Learn them on this SAM."
            )
        values = image_embedding.flatten(2).transpose(1, 2)  # (B, h * w, C)
        places = image_pe.flatten(2).transpose(1, 2)
        for layer in self.layers:
            prompts = layer(prompts, values, places)
        return prompts

    def draw(
        self, adjusted: Tensor, image_embedding: Tensor, image_pe: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Draw the map of adjusted prompts, and say how much better the answer is for it.

        Parameters
        ----------
        adjusted : shape (B, N, C), float
            What :meth:`forward` gave for the same picture.
        image_embedding, image_pe :
            As there.

        Returns
        -------
        logits : shape (B, 1, h, w)
            To be added to those of the answer.
        score : shape (B,)
            To be added to the logit of its score.

        Raises
        ------
        WeightsMismatchError
            If the learner was made without a map.
        """
        if self.map_head is None:
            raise WeightsMismatchError(
                "These prompts were learned on a SAM and draw no map, which this model needs. "
                "Learn them on this model."
            )
        drawn: tuple[Tensor, Tensor] = self.map_head(adjusted, image_embedding, image_pe)
        return drawn

    @property
    def parameter_count(self) -> int:
        """How many numbers are learned."""
        return sum(p.numel() for p in self.parameters())


class _Layer(nn.Module):
    """Self-attention, cross-attention, perceptron; each reads normalised prompts and adds."""

    def __init__(self, config: PromptLearnerConfig) -> None:
        super().__init__()
        dim = config.prompt_dim
        self.self_norm, self.cross_norm, self.mlp_norm, self.image_norm = (
            nn.LayerNorm(dim) for _ in range(4)
        )
        self.self_attention = _Attention(dim, config.heads)
        self.cross_attention = _Attention(dim, config.heads)
        self.cross_attention.look_where_prompts_are()
        last = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), last)
        for part in (self.self_attention.out, self.cross_attention.out, last):
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)

    def forward(self, prompts: Tensor, values: Tensor, places: Tensor) -> Tensor:
        own = self.self_norm(prompts)
        prompts = prompts + self.self_attention(own, own, own)
        seen = self.image_norm(values)
        prompts = prompts + self.cross_attention(self.cross_norm(prompts), seen + places, seen)
        adjusted: Tensor = prompts + self.mlp(self.mlp_norm(prompts))
        return adjusted


class _Attention(nn.Module):
    """Attention in half the channels, as in SAM's decoder; all prompts may share the keys."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(dim, dim // 2) for _ in range(3))
        self.out = nn.Linear(dim // 2, dim)

    def look_where_prompts_are(self) -> None:
        """Begin with attention that follows the likeness of places: found by chance it is slow."""
        nn.init.orthogonal_(self.query.weight, gain=SHARPNESS)
        with torch.no_grad():
            self.key.weight.copy_(self.query.weight)
            self.query.bias.zero_()
            self.key.bias.zero_()

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        q, k, v = (
            projection(x).unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, heads, N, d)
            for projection, x in ((self.query, queries), (self.key, keys), (self.value, values))
        )
        k, v = (x.expand(len(q), -1, -1, -1) for x in (k, v))
        attended = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return out


class _MapHead(nn.Module):
    """Weigh prompts, and compare their sum with every cell and its place."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.prompt_norm, self.image_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.weigh = nn.Linear(dim, 1)
        last = nn.Linear(dim, dim + 2)  # a direction, a level, a score
        self.query = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), last)
        self.key = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(
        self, adjusted: Tensor, image_embedding: Tensor, image_pe: Tensor
    ) -> tuple[Tensor, Tensor]:
        hw = image_embedding.shape[-2:]
        cells = image_embedding.flatten(2).transpose(1, 2)  # (B, h * w, C)
        keys = self.key(self.image_norm(cells) + image_pe.flatten(2).transpose(1, 2))
        prompts = self.prompt_norm(adjusted)
        shares = self.weigh(prompts).softmax(1)
        query, level, score = self.query((shares * prompts).sum(1)).split((keys.shape[2], 1, 1), 1)
        logits = (keys @ query[:, :, None])[:, :, 0] / keys.shape[2] ** 0.5 + level
        return logits.unflatten(1, hw)[:, None], score[:, 0]

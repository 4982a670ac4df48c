"""Where the answer is cut: a small network looks at what each level would cut out.

A click says what is looked for and not how far it goes, so that the logits of one answer may be
right in their order and wrong in their level. A row of levels is described
(:mod:`vrpsam_app.models.level_facts`), and a small network chooses among them; the answer's logits
are lowered by what it chose.

A reference that is marked throughout says more. The model answers it as if it were a target, and a
second network of this kind also sees what each level would have made of it: the same facts, how
they differ from those of the target, and the IoU with the marks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vrpsam_app.models.level_facts import FACTS, levels_of

HIDDEN = 16

UNUSUAL = 5.0
"""Facts count as no farther than so many deviations from what they usually are."""


class CutHead(nn.Module):
    """Choose the level at which logits are cut.

    It starts by leaving them as they are.

    Parameters
    ----------
    facts : int
        Numbers that describe a level.
    """

    levels: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, facts: int = FACTS) -> None:
        super().__init__()
        self.register_buffer("levels", levels_of(torch.zeros(0)), False)
        self.register_buffer("mean", torch.zeros(facts))
        self.register_buffer("deviation", torch.ones(facts))
        self.near = nn.Conv1d(facts, HIDDEN, 5, padding=2)
        self.far = nn.Conv1d(2 * HIDDEN, HIDDEN, 5, padding=2)
        self.out = nn.Conv1d(HIDDEN, 1, 1)
        nn.init.zeros_(self.out.weight)

    def forward(self, facts: Tensor) -> Tensor:
        """Choose levels.

        Parameters
        ----------
        facts : shape (B, LEVELS, FACTS) or (B, LEVELS, TOLD_FACTS)
            Of :func:`~vrpsam_app.models.level_facts.level_facts`, or of
            :func:`~vrpsam_app.models.level_facts.with_own`.

        Returns
        -------
        cut : shape (B,)
            To be taken from the logits.
        """
        x = (facts - self.mean) / self.deviation
        x = x.clamp(-UNUSUAL, UNUSUAL).transpose(1, 2)  # (B, facts, LEVELS)
        x = F.relu(self.near(x))
        # Each level is compared with what all of them are like.
        x = F.relu(self.far(torch.cat([x, x.mean(2, keepdim=True).expand_as(x)], 1)))
        cut: Tensor = self.out(x)[:, 0].softmax(1) @ self.levels
        return cut

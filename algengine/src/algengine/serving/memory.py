"""What a planner remembers of each rollout: its last maps and where they were made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

_KEPT_STEPS = 2


@dataclass(frozen=True)
class RememberedMap:
    """The map of one decision.

    Attributes:
        step: decision step.
        ego_pose: (3,) ego pose in the world frame at that step.
        bev: (1, C, rows, cols).
    """

    step: int
    ego_pose: np.ndarray
    bev: Tensor


class RolloutMemory:
    """Keeps the last maps of each rollout, by token.

    Two steps are kept, because a step may be asked for twice and the second answer must not build on the first.
    """

    def __init__(self) -> None:
        self._maps: dict[str, list[RememberedMap]] = {}

    def __len__(self) -> int:
        return len(self._maps)

    def previous(self, token: str, step: int) -> RememberedMap | None:
        """Return the newest map of `token` before `step`; step 0 starts afresh."""
        if step == 0:
            self._maps.pop(token, None)
            return None
        earlier = [m for m in self._maps.get(token, []) if m.step < step]
        return max(earlier, key=lambda m: m.step) if earlier else None

    def keep(self, token: str, remembered: RememberedMap) -> None:
        """Remember the map of a step; it replaces an earlier answer to the same step."""
        others = [m for m in self._maps.get(token, []) if m.step < remembered.step]
        self._maps[token] = [*others, remembered][-_KEPT_STEPS:]

    def forget(self, token: str) -> None:
        """Drop everything about `token`."""
        self._maps.pop(token, None)

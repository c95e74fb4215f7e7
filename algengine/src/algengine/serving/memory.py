"""What a planner remembers of each rollout: its last maps and where they were made."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from torch import Tensor

_KEPT_STEPS = 2
_LOG = logging.getLogger(__name__)


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
    Simulators that die never say that their rollout has ended, so memory is bounded: when it is full, the rollout that
    has not been heard of for longest is dropped and, should it come back, drives on without a past. A warning says so.

    Args:
        limit_bytes: most bytes of maps to keep; the present rollout is always kept.
    """

    def __init__(self, limit_bytes: int = 4 * 2**30) -> None:
        self._maps: OrderedDict[str, list[RememberedMap]] = OrderedDict()
        self._limit = limit_bytes

    @property
    def num_bytes(self) -> int:
        """Bytes of all maps."""
        return sum(m.bev.nbytes for maps in self._maps.values() for m in maps)

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
        self._maps.move_to_end(token)
        while len(self._maps) > 1 and self.num_bytes > self._limit:
            dropped, _ = self._maps.popitem(last=False)
            _LOG.warning(
                "the memory of rollouts is full (%.1f GiB): the past of %s is dropped; raise --memory-gib if it still "
                "drives",
                self._limit / 2**30,
                dropped,
            )

    def forget(self, token: str) -> None:
        """Drop everything about `token`."""
        self._maps.pop(token, None)

"""Batches of decisions from cached features and reward files, in an order that depends on seed and step only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from algengine.losses.imitation import trajectory_distance
from algengine.post_training.feature_cache import FeatureCache
from algengine.post_training.outcome import Outcomes
from algengine.post_training.runs import Decision


@dataclass(frozen=True)
class Batch:
    """Inputs of the head and what is known about them.

    Attributes:
        bev: (B, C, rows, cols), as cached; float32 once it is on its device.
        status: (B, H, ...) ego status by name.
        outcomes: rewards, targets and reference.
    """

    bev: Tensor
    status: dict[str, Tensor]
    outcomes: Outcomes

    def to(self, device: torch.device | str) -> Batch:
        """Return the same on the device that computes, maps in float32; of a pinned batch without waiting for it."""
        moved = self.mapped(lambda value: value.to(device, non_blocking=True))
        return replace(moved, bev=moved.bev.float())

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """Return the same with every tensor changed, see `Outcomes.mapped`."""
        status = {name: change(value) for name, value in self.status.items()}
        return Batch(change(self.bev), status, self.outcomes.mapped(change))


class DecisionBatches:
    """Batches over a list of decisions.

    Args:
        decisions: to learn from.
        cache: with the features of all their recordings.
        vocabulary: (K, T, 3) plans on the CPU.
        size: decisions per batch; fewer if there are fewer.
        seed: of the order.
        readers: threads that read ahead, one batch each; nothing depends on their number.
        pinned: whether streamed batches lie in memory that a GPU copies from by itself.
    """

    def __init__(
        self,
        decisions: Sequence[Decision],
        cache: FeatureCache,
        vocabulary: Tensor,
        size: int,
        seed: int = 0,
        readers: int = 2,
        pinned: bool = False,
    ) -> None:
        self.decisions, self._readers = tuple(decisions), readers
        self.size, self._seed = min(size, len(self.decisions)), seed
        self._cache, self._pinned = cache, pinned
        self._nearest, self._driven = self._imitable(vocabulary)

    @property
    def per_epoch(self) -> int:
        """Batches per epoch; what does not fill the last one is left out, other decisions each time."""
        return len(self.decisions) // self.size

    def rows(self, step: int) -> np.ndarray:
        """Return which decisions step `step` uses."""
        epoch, part = divmod(step, self.per_epoch)
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self.decisions))
        return order[part * self.size : (part + 1) * self.size]

    def stream(self, first: int, last: int) -> Iterator[Batch]:
        """Yield the batches of steps `first` to `last` - 1; the next ones are read while the present one is used."""
        steps = iter(range(first, last))
        with ThreadPoolExecutor(self._readers) as pool:
            ahead = deque(pool.submit(self._ready, step) for step in islice(steps, self._readers))
            while ahead:
                batch = ahead.popleft().result()
                ahead.extend(pool.submit(self._ready, step) for step in islice(steps, 1))
                yield batch

    def _ready(self, step: int) -> Batch:
        batch = self.load(self.rows(step))
        return batch.mapped(Tensor.pin_memory) if self._pinned else batch

    def load(self, rows: Sequence[int] | np.ndarray) -> Batch:
        """Return the batch of some decisions."""
        chosen = [self.decisions[row] for row in rows]
        features = [self._cache.open(decision.observations) for decision in chosen]
        steps = [decision.step for decision in chosen]

        def stack(arrays: Sequence[np.ndarray]) -> Tensor:
            return torch.from_numpy(np.stack([a[step] for a, step in zip(arrays, steps, strict=True)]))

        columns = [decision.columns() for decision in chosen]
        picked = torch.as_tensor(rows)
        outcomes = Outcomes(
            rewards={n: torch.from_numpy(np.stack([c[n] for c in columns])) for n in columns[0]},
            nearest=self._nearest[picked],
            driven=self._driven[picked],
            fail_mask=torch.tensor([decision.fail_mask for decision in chosen]),
            reference={n: stack([f.reference[n] for f in features]) for n in features[0].reference},
            behaviour=torch.tensor([decision.driven for decision in chosen]),
        )
        status = {n: stack([f.status[n] for f in features]) for n in features[0].status}
        return Batch(stack([f.bev for f in features]), status, outcomes)

    def _imitable(self, vocabulary: Tensor) -> tuple[Tensor, Tensor]:
        """Return for every decision (N,) the plan nearest to the drive, and whether all of the drive was recorded.

        Once, as every batch needs the same again and a large vocabulary has much to compare.
        """
        found: dict[Path, tuple[Tensor, Tensor]] = {}
        for decision in self.decisions:
            if decision.observations not in found:
                features = self._cache.open(decision.observations)
                driven, valid = (
                    torch.from_numpy(np.array(a)) for a in (features.driven, features.driven_valid)
                )
                found[decision.observations] = (
                    trajectory_distance(vocabulary, driven, valid).argmin(-1),
                    valid.all(-1),
                )
        places = [(found[decision.observations], decision.step) for decision in self.decisions]
        nearest, whole = (torch.stack([pair[part][step] for pair, step in places]) for part in (0, 1))
        return nearest, whole

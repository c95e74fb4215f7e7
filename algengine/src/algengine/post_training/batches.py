"""Batches of decisions from cached features and reward files, in an order that depends on seed and step only."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

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
        """Return the same on the device that computes, maps in float32."""
        status = {name: value.to(device) for name, value in self.status.items()}
        return Batch(self.bev.to(device).float(), status, self.outcomes.to(device))


class DecisionBatches:
    """Batches over a list of decisions.

    Args:
        decisions: to learn from.
        cache: with the features of all their recordings.
        vocabulary: (K, T, 3) plans on the CPU.
        size: decisions per batch; fewer if there are fewer.
        seed: of the order.
        readers: threads that read ahead, one batch each; nothing depends on their number.
    """

    def __init__(
        self,
        decisions: Sequence[Decision],
        cache: FeatureCache,
        vocabulary: Tensor,
        size: int,
        seed: int = 0,
        readers: int = 2,
    ) -> None:
        self.decisions, self._readers = tuple(decisions), readers
        self.size, self._seed = min(size, len(self.decisions)), seed
        self._cache, self._vocabulary = cache, vocabulary

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
            ahead = deque(pool.submit(self.load, self.rows(step)) for step in islice(steps, self._readers))
            while ahead:
                batch = ahead.popleft().result()
                ahead.extend(pool.submit(self.load, self.rows(step)) for step in islice(steps, 1))
                yield batch

    def load(self, rows: Sequence[int] | np.ndarray) -> Batch:
        """Return the batch of some decisions."""
        chosen = [self.decisions[row] for row in rows]
        features = [self._cache.open(decision.observations) for decision in chosen]
        steps = [decision.step for decision in chosen]

        def stack(arrays: Sequence[np.ndarray]) -> Tensor:
            return torch.from_numpy(np.stack([a[step] for a, step in zip(arrays, steps, strict=True)]))

        columns = [decision.columns() for decision in chosen]
        valid = stack([f.driven_valid for f in features])
        distance = trajectory_distance(self._vocabulary, stack([f.driven for f in features]), valid)
        outcomes = Outcomes(
            rewards={n: torch.from_numpy(np.stack([c[n] for c in columns])) for n in columns[0]},
            distance=distance,
            driven=valid.all(-1),
            fail_mask=torch.tensor([decision.fail_mask for decision in chosen]),
            reference={n: stack([f.reference[n] for f in features]) for n in features[0].reference},
            behaviour=torch.tensor([decision.driven for decision in chosen]),
        )
        status = {n: stack([f.status[n] for f in features]) for n in features[0].status}
        return Batch(stack([f.bev for f in features]), status, outcomes)

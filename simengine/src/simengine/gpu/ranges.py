"""Many short lists in one table, and how to go through those that a batch asks for without a loop.

Only the device knows how many entries that are. Either we wait for it and get exactly those, or they get a fixed
room and nobody waits; then the caller has to look afterwards whether the room was enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Ranges:
    """N lists; list i holds the entries `start[i]` to `start[i] + count[i] - 1` of a table kept elsewhere.

    Entry 0 of such a table is in no list: it stands for nothing, in places that are left over.

    Attributes:
        start: (N,) int32 first entry.
        count: (N,) int32 number of entries.
    """

    start: torch.Tensor
    count: torch.Tensor


@dataclass(frozen=True)
class Repeated:
    """Positions of an array, each as often as a count says, in a room of R.

    Attributes:
        rank: (R,) 0, 1, 2 and so on.
        position: (R,) positions, ascending; any where room is left over.
        real: (R,) false where room is left over.
        end: (M,) rank behind the last one of each position.
        total: () how many there are, also if the room is smaller.
    """

    rank: torch.Tensor
    position: torch.Tensor
    real: torch.Tensor
    end: torch.Tensor
    total: torch.Tensor


def upload_ranges(edges: np.ndarray, device: torch.device) -> Ranges:
    """Return lists i = `edges[i]` to `edges[i + 1] - 1` of a table that gets an entry 0 in front."""
    start = torch.from_numpy(edges.astype(np.int32)).to(device) + 1
    return Ranges(start[:-1], start.diff())


def repeat(count: torch.Tensor, room: int | None = None) -> Repeated:
    """Return every position i of `count` (M,), numbers or flags, `count[i]` times.

    Args:
        count: how often.
        room: how many positions to return; None for as many as there are, which waits for the device.
    """
    end = count.cumsum(0)
    total = end[-1:].sum()
    rank = torch.arange(int(total) if room is None else room, device=count.device)
    real = rank < total
    # What is left over goes round: many threads that add to one place would wait for each other.
    position = torch.where(
        real, torch.searchsorted(end, rank, right=True), rank.remainder(max(len(count), 1))
    )
    return Repeated(rank, position, real, end, total)


def expand(
    ranges: Ranges, asked: torch.Tensor, room: int | None = None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return who asked and what for: one pair for every entry of every list in `asked` (M,).

    Args:
        ranges: the lists.
        asked: which of them.
        room: see `repeat`.

    Returns:
        Positions in `asked` (R,), entries (R,), 0 where room is left over, and how many pairs there are ().
    """
    count = ranges.count[asked]
    pairs = repeat(count, room)
    to_entry = ranges.start[asked] - (pairs.end - count)
    return pairs.position, (pairs.rank + to_entry[pairs.position]) * pairs.real, pairs.total

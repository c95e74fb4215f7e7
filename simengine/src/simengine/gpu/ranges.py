"""Many short lists in one array, and how to go through those that a batch asks for without a loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Ranges:
    """N lists; list i holds the entries `start[i]` to `start[i] + count[i] - 1` of an array kept elsewhere.

    Attributes:
        start: (N,) int32 first entry.
        count: (N,) int32 number of entries.
        longest: number of entries of the longest list.
    """

    start: torch.Tensor
    count: torch.Tensor
    longest: int


def upload_ranges(edges: np.ndarray, device: torch.device) -> Ranges:
    """Return lists i = `edges[i]` to `edges[i + 1] - 1` and, behind them, one empty list for everything else."""
    start = np.append(edges, edges[-1]).astype(np.int32)
    count = np.diff(start, append=start[-1])
    return Ranges(
        torch.from_numpy(start).to(device), torch.from_numpy(count).to(device), int(count.max(initial=0))
    )


def expand(ranges: Ranges, asked: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return who asked and what for: one pair for every entry of every list in `asked` (M,).

    Waits for the device twice, because the number of pairs has to be known.

    Returns:
        Positions in `asked` (K,), ascending, and entries (K,).
    """
    count = ranges.count[asked]
    owner = count.nonzero().squeeze(1)
    count = count[owner]
    end = count.cumsum(0)
    total = int(end[-1]) if len(owner) else 0
    slot = torch.repeat_interleave(count, output_size=total)
    ahead = ranges.start[asked[owner]] - (end - count)
    return owner[slot], torch.arange(total, device=asked.device) + ahead[slot]

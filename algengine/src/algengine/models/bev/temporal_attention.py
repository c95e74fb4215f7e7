"""Temporal self-attention: cells read the aligned previous map and the present queries.

B batch, P cells, C channels, M heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from algengine.models.bev.grid import BEVGrid
from algengine.models.layers.deformable import deformable_sample, init_directional_offsets

_STREAMS = 2


class TemporalSelfAttention(nn.Module):
    """Deformable attention over two maps, the previous one and the present one; their reads are averaged.

    Each sample of a batch meets only its own maps.
    """

    def __init__(self, dims: int, heads: int, points: int, grid: BEVGrid, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.points, self.grid = heads, points, grid
        samples = heads * _STREAMS * points
        self.offsets = nn.Linear(2 * dims, samples * 2)
        self.weights = nn.Linear(2 * dims, samples)
        self.value = nn.Linear(dims, dims)
        self.output = nn.Linear(dims, dims)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("places", grid.normalize(grid.centers()), persistent=False)
        init_directional_offsets(self.offsets, heads, _STREAMS, points)
        nn.init.zeros_(self.weights.weight)
        nn.init.zeros_(self.weights.bias)
        for layer in (self.value, self.output):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, query: Tensor, position: Tensor, previous: Tensor | None) -> Tensor:
        """Return updated queries (B, P, C).

        Args:
            query: (B, P, C).
            position: (P, C) code of each cell.
            previous: (B, P, C) aligned previous map, or None at the start of a rollout.
        """
        other = query if previous is None else previous
        control = torch.cat([other, query + position], dim=-1)
        shape = (*query.shape[:2], self.heads, _STREAMS, self.points)
        sizes = query.new_tensor([self.grid.cols, self.grid.rows])
        locations = self.places[:, None, None, None] + self.offsets(control).reshape(*shape, 2) / sizes
        weights = self.weights(control).reshape(shape).softmax(-1) / _STREAMS
        values = [self._as_map(self.value(other)), self._as_map(self.value(query))]
        return query + self.dropout(self.output(deformable_sample(values, locations, weights)))

    def _as_map(self, cells: Tensor) -> Tensor:
        return cells.transpose(1, 2).reshape(len(cells), -1, self.grid.rows, self.grid.cols)

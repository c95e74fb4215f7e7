"""Temporal self-attention: cells read the aligned previous map and the present queries.

B batch, P cells, C channels, M heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from algengine.models.bev.grid import BEVGrid
from algengine.models.bev.published import mixed_previous
from algengine.models.layers.deformable import deformable_sample, init_directional_offsets

_STREAMS = 2


class TemporalSelfAttention(nn.Module):
    """Deformable attention over two maps, the previous one and the present one; their reads are averaged.

    Each sample of a batch meets only its own maps, unless `compat` asks for the published mix.

    Args:
        dims: channels C.
        heads: attention heads M.
        points: reads per head and map.
        grid: layout of the maps.
        dropout: dropout of what is added to the queries.
        compat: see `mixed_previous`.
        deformable: see `choose_form`.
    """

    def __init__(
        self,
        dims: int,
        heads: int,
        points: int,
        grid: BEVGrid,
        dropout: float = 0.0,
        compat: bool = False,
        deformable: str = "auto",
    ) -> None:
        super().__init__()
        self.heads, self.points, self.grid = heads, points, grid
        self.compat, self.deformable = compat, deformable
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

    def forward(
        self,
        query: Tensor,
        position: Tensor,
        previous: Tensor | None,
        present: Tensor | None = None,
        shift: Tensor | None = None,
    ) -> Tensor:
        """Return updated queries (B, P, C).

        Args:
            query: (B, P, C).
            position: (P, C) code of each cell.
            previous: (B, P, C) aligned previous map, or None at the start of a rollout.
            present: (B, P, C) what is read as the present map beside `previous`, the queries unless given.
            shift: (B, 2) added to all places read, as a fraction of the map; zero unless given.
        """
        other = query if previous is None else previous
        own = query if previous is None or present is None else present
        control = torch.cat([mixed_previous(other, own) if self.compat else other, query + position], dim=-1)
        shape = (*query.shape[:2], self.heads, _STREAMS, self.points)
        sizes = query.new_tensor([self.grid.cols, self.grid.rows])
        places = self.places[:, None, None, None]
        if shift is not None:
            places = places + shift[:, None, None, None, None]
        locations = places + self.offsets(control).reshape(*shape, 2) / sizes
        weights = self.weights(control).reshape(shape).softmax(-1) / _STREAMS
        values = [self._as_map(self.value(other)), self._as_map(self.value(own))]
        read = deformable_sample(values, locations, weights, self.deformable)
        return query + self.dropout(self.output(read))

    def _as_map(self, cells: Tensor) -> Tensor:
        return cells.transpose(1, 2).reshape(len(cells), -1, self.grid.rows, self.grid.cols)

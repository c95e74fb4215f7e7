"""Temporal self-attention: cells read the aligned previous map and the present queries.

B batch, P cells, C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from algengine.models.bev.grid import BEVGrid
from algengine.models.bev.published import mixed_previous
from algengine.models.layers.deformable import init_directional_offsets
from algengine.models.layers.deformable_attention import attend, steer
from algengine.models.layers.precision import as_computed

_STREAMS = 2


class TemporalSelfAttention(nn.Module):
    """Deformable attention over two maps, the previous one and the present one; their reads are averaged.

    Each sample of a batch meets only its own maps, unless `compat` asks for the published mix.

    Args:
        dims: channels C.
        heads: attention heads.
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
        self.register_buffer("places", grid.normalize(grid.centers())[None, :, None], persistent=False)
        init_directional_offsets(self.offsets, heads, _STREAMS, points)
        nn.init.zeros_(self.weights.weight)
        nn.init.zeros_(self.weights.bias)
        for layer in (self.value, self.output):
            nn.init.xavier_uniform_(layer.weight)

    def forward(
        self, query: Tensor, position: Tensor, memory: Tensor | None, shift: Tensor | None = None
    ) -> Tensor:
        """Return updated queries (B, P, C).

        Args:
            query: (B, P, C).
            position: (P, C) code of each cell.
            memory: (B, 2, P, C) the two maps: aligned previous one and present one; None at the start of a rollout,
                when both are the queries.
            shift: (B, 2) added to all places read, as a fraction of the map; zero unless given.
        """
        if memory is None:
            other = own = query
            value = self.value(query)[:, None].expand(-1, _STREAMS, -1, -1)
        else:
            other, own = memory.unbind(1)
            value = self.value(memory)
        if self.compat:
            other = mixed_previous(other, own)
        control = torch.cat([as_computed(other), as_computed(query + position)], dim=-1)
        raw = steer(control, self.offsets, self.weights)
        places = self.places if shift is None else self.places + shift[:, None, None]
        shapes = ((self.grid.rows, self.grid.cols),) * _STREAMS
        tokens = value.flatten(1, 2)[:, None]
        read = attend(tokens, shapes, raw, places, self.heads, joint=False, form=self.deformable)
        return query + self.dropout(self.output(read))

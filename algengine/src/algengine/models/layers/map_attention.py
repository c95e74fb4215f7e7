"""Deformable attention of queries into one map, around points or boxes.

B batch, Q queries, M heads, P points, C channels.
"""

from __future__ import annotations

from torch import Tensor, nn

from algengine.models.layers.deformable import deformable_sample, init_directional_offsets
from algengine.models.layers.deformable_triton import level_sizes


class MapAttention(nn.Module):
    """Each head reads P places near the reference of a query.

    Args:
        dims: channels C.
        heads: attention heads M.
        points: reads per head P.
        dropout: dropout of what is added to the queries.
        deformable: see `choose_form`.
    """

    def __init__(self, dims: int, heads: int, points: int, dropout: float, deformable: str) -> None:
        super().__init__()
        self.heads, self.points, self.deformable = heads, points, deformable
        self.offsets = nn.Linear(dims, heads * points * 2)
        self.weights = nn.Linear(dims, heads * points)
        self.value = nn.Linear(dims, dims)
        self.output = nn.Linear(dims, dims)
        self.dropout = nn.Dropout(dropout)
        init_directional_offsets(self.offsets, heads, 1, points)
        nn.init.zeros_(self.weights.weight)
        nn.init.zeros_(self.weights.bias)
        for layer in (self.value, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(
        self, query: Tensor, position: Tensor, reference: Tensor, cells: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """Return updated queries (B, Q, C).

        Args:
            query: (B, Q, C).
            position: (..., Q, C) code of each query.
            reference: (..., Q, 2) points, or (..., Q, 4) boxes, as fractions of the map.
            cells: (B, rows * cols, C) of the map, row by row.
            size: rows and columns of the map.
        """
        asked = query + position
        shape = (*query.shape[:2], self.heads, 1, self.points)
        weights = self.weights(asked).reshape(shape).softmax(-1)
        offsets = self.offsets(asked).reshape(*shape, 2)
        places = reference[..., None, None, None, :2] + offsets * self._scale(reference, size)
        value = self.value(cells).transpose(1, 2).unflatten(2, size)
        read = deformable_sample([value], places, weights, self.deformable)
        return query + self.dropout(self.output(read.to(query.dtype)))

    def _scale(self, reference: Tensor, size: tuple[int, int]) -> Tensor:
        """Return what an offset of one is as a fraction of the map: a cell, or a share of half a box."""
        if reference.shape[-1] == 2:
            return 1.0 / level_sizes((size,), reference.device).to(reference.dtype)
        return reference[..., None, None, None, 2:] * (0.5 / self.points)

"""The bird's-eye-view encoder: camera features and the previous map in, present map out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from algengine.models.bev.alignment import align_previous
from algengine.models.bev.can_bus import CanBusEmbedding
from algengine.models.bev.encoder_layer import BEVEncoderLayer
from algengine.models.bev.grid import BEVGrid
from algengine.models.bev.projection import CameraRig, CameraViews, view_cells
from algengine.models.bev.published import present_shift, published_rig, rotate_previous
from algengine.models.layers.deformable_attention import as_tokens
from algengine.models.layers.precision import as_computed
from algengine.registry import MODELS

_PUBLISHED_MIN_DEPTH = 1e-5


@MODELS.register_module()
class BEVEncoder(BaseModule):
    """BEVFormer-style encoder of one frame.

    Args:
        dims: channels of the map and of the camera features.
        heads: attention heads.
        levels: number of feature levels.
        num_layers: encoder layers.
        num_cameras: cameras of the rig, each with its own embedding.
        heights: heights at which a cell is looked for in the images, in the ego frame on the road [m].
        x_range: extent of the grid along x in the ego frame [m].
        y_range: extent of the grid along y in the ego frame [m].
        cell: edge of a cell [m].
        dropout: dropout after each attention and inside the feed-forward.
        points: reads per head, level and height in the images; half as many as in the maps.
        shared_value: whether one projection serves all feature levels.
        constant_present: whether all layers read the first layer's queries beside the previous map, or their own.
        can_bus: whether the motion of the ego is added to the queries, see `can_bus.py`.
        checkpointing: recompute layers in the backward pass instead of keeping their activations.
        compat: the published arithmetic: the previous map is turned to its nearest cells and read through reference
            points that are shifted for both maps, control features are mixed over the batch, the first sample's masks
            serve all samples, lens distortion is ignored.
        deformable: see `choose_form`.
    """

    def __init__(
        self,
        dims: int = 64,
        heads: int = 4,
        levels: int = 2,
        num_layers: int = 2,
        num_cameras: int = 8,
        heights: Sequence[float] = (0.0, 0.8, 1.6, 3.0),
        x_range: Sequence[float] = (-12.8, 57.6),
        y_range: Sequence[float] = (-25.6, 25.6),
        cell: float = 1.28,
        dropout: float = 0.1,
        points: int = 2,
        shared_value: bool = False,
        constant_present: bool = False,
        can_bus: bool = False,
        checkpointing: bool = False,
        compat: bool = False,
        deformable: str = "auto",
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.grid = BEVGrid(tuple(x_range), tuple(y_range), cell)
        self.constant_present, self.checkpointing = constant_present, checkpointing
        self.compat, self.deformable = compat, deformable
        self.queries = nn.Parameter(torch.randn(self.grid.num_cells, dims) * 0.1)
        self.row_code = nn.Parameter(torch.randn(self.grid.rows, dims // 2) * 0.1)
        self.col_code = nn.Parameter(torch.randn(self.grid.cols, dims // 2) * 0.1)
        self.camera_code = nn.Parameter(torch.randn(num_cameras, dims) * 0.1)
        self.level_code = nn.Parameter(torch.randn(levels, dims) * 0.1)
        self.can_bus = CanBusEmbedding(dims) if can_bus else None
        self.layers = nn.ModuleList(
            BEVEncoderLayer(
                dims,
                heads,
                levels,
                len(heights),
                self.grid,
                points=points,
                dropout=dropout,
                shared_value=shared_value,
                compat=compat,
                deformable=deformable,
            )
            for _ in range(num_layers)
        )
        self.register_buffer("heights", torch.tensor(list(heights)), persistent=False)
        self.register_buffer("centers", self.grid.centers(), persistent=False)
        self.register_buffer("extent", torch.tensor(self.grid.extent), persistent=False)

    def view(self, rig: CameraRig) -> CameraViews:
        """Return which cells the cameras of `rig` see; the same for all frames with these calibrations."""
        if self.compat:
            rig = published_rig(rig)
            return view_cells(self.centers, self.heights, rig, _PUBLISHED_MIN_DEPTH, first_mask=True)
        return view_cells(self.centers, self.heights, rig)

    def forward(
        self,
        features: Sequence[Tensor],
        views: CameraViews,
        previous: Tensor | None,
        motion: Tensor | None,
        can_bus: Tensor | None = None,
    ) -> Tensor:
        """Return the present map (B, C, rows, cols).

        Args:
            features: L maps (B, N, C, h, w).
            views: result of `view`.
            previous: (B, C, rows, cols) map of the previous frame, or None.
            motion: (B, 3) present ego pose in the previous ego frame; needed with `previous`.
            can_bus: (B, 18), needed by encoders with `can_bus`.
        """
        tokens, shapes = self._tokens(features), tuple((f.shape[-2], f.shape[-1]) for f in features)
        cells = self.queries[None].expand(len(tokens), -1, -1)
        if self.can_bus is not None:
            cells = cells + self.can_bus(can_bus)[:, None]
        aligned, shift = self._recall(previous, motion)
        memory = None if aligned is None else _both(aligned, cells)
        position = as_computed(self._position())
        for layer in self.layers:
            inputs = (cells, position, memory, tokens, shapes, views, shift)
            if self.checkpointing and torch.is_grad_enabled():
                cells = checkpoint(layer, *inputs, use_reentrant=False)
            else:
                cells = layer(*inputs)
            if memory is not None and not self.constant_present:
                memory = _both(aligned, cells)
        return (
            cells.to(self.queries.dtype)
            .transpose(1, 2)
            .reshape(len(cells), -1, self.grid.rows, self.grid.cols)
        )

    def _tokens(self, features: Sequence[Tensor]) -> Tensor:
        """Return features with the codes of camera and level as cells (B, N, S, C)."""
        codes = (self.camera_code[:, None] + self.level_code).to(features[0].dtype)  # N, L, C
        return as_tokens([f + codes[:, i, :, None, None] for i, f in enumerate(features)])

    def _recall(self, previous: Tensor | None, motion: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """Return the previous map (B, P, C) in the present frame and the shift of the places read (B, 2)."""
        if previous is None:
            return None, None
        if not self.compat:
            return align_previous(previous, motion, self.grid, self.centers, self.deformable), None
        turned = rotate_previous(previous, motion[:, 2], self.grid)
        return turned.flatten(2).transpose(1, 2), present_shift(motion) / self.extent

    def _position(self) -> Tensor:
        """Return the code (P, C) of each cell: column, then row."""
        cols = self.col_code[None].expand(self.grid.rows, -1, -1)
        rows = self.row_code[:, None].expand(-1, self.grid.cols, -1)
        return torch.cat([cols, rows], dim=-1).flatten(0, 1)


def _both(previous: Tensor, present: Tensor) -> Tensor:
    """Return the maps (B, 2, P, C) that temporal attention reads."""
    return torch.stack([as_computed(previous), as_computed(present)], dim=1)

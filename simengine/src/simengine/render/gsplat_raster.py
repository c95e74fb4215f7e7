"""Draws scenes with the kernels of gsplat: projection of what is visible, its colours, and one blending for all images.

Each scene is projected by itself; what its cameras see is then sorted and blended together with what all other cameras
of that image size see, of this scene and of others. So scenes need not have equal sizes, and nothing is padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from simengine.geometry.se3 import invert
from simengine.render.backend import EPS_2D, FAR_PLANE, NEAR_PLANE, TILE_PX
from simengine.render.cpu_lens import lens_view
from simengine.render.lens_plan import DrawnCamera
from simengine.render.sh import C0
from simengine.render.torch_lens import LensProjection, Seen

if TYPE_CHECKING:
    import torch

_MAX_TOGETHER = 16
"""Views projected in one go; more need memory for little speed."""


@dataclass(frozen=True)
class View:
    """One image to draw.

    Attributes:
        parts: tensors `means`, `quats`, `scales`, `opacities` and `sh` of each set that makes up the scene; the same
            tuple for all views of a scene.
        drawn: camera and how to draw it.
        world_from_cam: (4, 4).
        end_world_from_cam: (4, 4) of the last row, or None.
    """

    parts: tuple[dict[str, Any], ...]
    drawn: DrawnCamera
    world_from_cam: np.ndarray
    end_world_from_cam: np.ndarray | None = None


class GsplatRaster:
    """Draws views of one image size together.

    Args:
        torch: the module.
        kernels: gsplat, or what has its functions.
        device: where tensors live.
    """

    def __init__(self, torch: Any, kernels: Any, device: Any) -> None:
        self._torch, self._kernels, self._device = torch, kernels, device

    def draw(self, views: Sequence[View], width: int, height: int, want_depth: bool) -> torch.Tensor:
        """Return colours (V, H, W, 3), or with expected depth (V, H, W, 4), of views of one size, float32."""
        torch = self._torch
        pieces = [
            self._piece(views, members, part, width, height)
            for members in _alike(views)
            for part in views[members[0]].parts
            if len(part["means"])
        ]
        pieces = [piece for piece in pieces if len(piece[0].row)]
        if not pieces:
            return torch.zeros((len(views), height, width, 4 if want_depth else 3), device=self._device)
        seen = Seen(*(torch.cat([getattr(p[0], f) for p in pieces]) for f in Seen.__dataclass_fields__))
        colors = torch.cat([piece[1] for piece in pieces])
        if want_depth:
            colors = torch.cat([colors, seen.depth[:, None]], dim=1)
        tiles_x, tiles_y = -(-width // TILE_PX), -(-height // TILE_PX)
        _, pairs, order = self._kernels.isect_tiles(
            seen.center_px, seen.radius_px, seen.depth, TILE_PX, tiles_x, tiles_y,
            packed=True, n_images=len(views), image_ids=seen.camera, gaussian_ids=seen.row,
        )  # fmt: skip
        offsets = self._kernels.isect_offset_encode(pairs, len(views), tiles_x, tiles_y)
        offsets = offsets.reshape(len(views), tiles_y, tiles_x)
        drawn, alpha = self._kernels.rasterize_to_pixels(
            seen.center_px,
            seen.conic,
            colors,
            seen.opacity,
            width,
            height,
            TILE_PX,
            offsets,
            order,
            packed=True,
        )
        if want_depth:
            drawn[..., 3:] /= alpha.clamp(min=1e-10)
        return drawn

    def _piece(
        self, views: Sequence[View], members: list[int], part: dict[str, Any], width: int, height: int
    ) -> tuple[Seen, torch.Tensor]:
        """Return what the views `members`, which share a kind of lens, see of a set, and its colours (M, 3)."""
        project = self._through_lenses if views[members[0]].drawn.native else self._through_pinholes
        seen, centers = project([views[k] for k in members], part, width, height)
        colors = self._colors(part["sh"][seen.row], part["means"][seen.row] - centers[seen.camera])
        image = self._torch.tensor(members, device=self._device)[seen.camera]
        return Seen(image, *(getattr(seen, f) for f in list(Seen.__dataclass_fields__)[1:])), colors

    def _through_lenses(
        self, views: Sequence[View], part: dict[str, Any], width: int, height: int
    ) -> tuple[Seen, torch.Tensor]:
        """Return what views see of a set through their lenses, and the middles (V, 3) of where they see it from."""
        starts = [view.world_from_cam for view in views]
        ends = [view.end_world_from_cam for view in views]
        rolling = ends[0] is not None
        rows = [
            lens_view(view.drawn.camera, *poses) for view, *poses in zip(views, starts, ends, strict=True)
        ]
        project = LensProjection(self._torch, self.upload(np.stack(rows)), width, height, rolling)
        centers = 0.5 * (np.stack(starts) + np.stack(ends if rolling else starts))[:, :3, 3]
        return project(part), self.upload(centers)

    def _through_pinholes(
        self, views: Sequence[View], part: dict[str, Any], width: int, height: int
    ) -> tuple[Seen, torch.Tensor]:
        """Return what views see of a set as pinholes, and where they see it from (V, 3)."""
        poses = np.stack([view.world_from_cam for view in views])
        _, camera, row, radius, center, depth, conic, compensation = self._kernels.fully_fused_projection(
            part["means"], None, part["quats"], part["scales"],
            self.upload(invert(poses)),
            self.upload(np.stack([view.drawn.camera.intrinsic for view in views])),
            width, height,
            eps2d=EPS_2D, near_plane=NEAR_PLANE, far_plane=FAR_PLANE,
            packed=True, calc_compensations=True, opacities=part["opacities"],
        )  # fmt: skip
        camera, row = camera.to(self._torch.int64), row.to(self._torch.int64)
        seen = Seen(camera, row, center, radius, depth, conic, part["opacities"][row] * compensation)
        return seen, self.upload(poses[:, :3, 3])

    def _colors(self, sh: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
        """Return colours (M, 3) of coefficients (M, K, 3) seen along `directions` (M, 3)."""
        if sh.shape[1] == 1:
            return (C0 * sh[:, 0] + 0.5).clamp(min=0.0)
        degree = int(np.sqrt(sh.shape[1])) - 1
        return (self._kernels.spherical_harmonics(degree, directions, sh) + 0.5).clamp(min=0.0)

    def upload(self, array: np.ndarray) -> torch.Tensor:
        """Return an array as a float32 tensor on the device."""
        return self._torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(self._device)


def _alike(views: Sequence[View]) -> list[list[int]]:
    """Return the views that can be projected together: of one scene, native or not, rolling or not."""
    groups: dict[tuple, list[int]] = {}
    for k, view in enumerate(views):
        kind = (tuple(id(part) for part in view.parts), view.drawn.native, view.end_world_from_cam is None)
        groups.setdefault(kind, []).append(k)
    return [
        members[at : at + _MAX_TOGETHER]
        for members in groups.values()
        for at in range(0, len(members), _MAX_TOGETHER)
    ]

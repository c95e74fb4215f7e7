"""Where points of the bird's-eye-view grid appear in each camera, and which cells each camera sees.

B batch, N cameras, P points (cells), Z heights. Pixel coordinates are continuous: the image spans [0, width] x
[0, height] and the first pixel's centre is (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from algengine.models.layers.deformable_attention import Pairs

_MIN_DEPTH = 0.2
_LENS_COEFFICIENTS = 12


@dataclass(frozen=True)
class CameraRig:
    """Calibrations of N cameras for B samples.

    Attributes:
        intrinsic: (B, N, 3, 3) pinhole matrices for images of `image_size` [px].
        cam_from_ego: (B, N, 4, 4).
        distortion: (B, N, D) the first D of OpenCV's coefficients, see `distort`.
        image_size: width and height of the images without padding [px].
        padded_size: width and height after padding at the right and the bottom [px].
    """

    intrinsic: Tensor
    cam_from_ego: Tensor
    distortion: Tensor
    image_size: tuple[int, int]
    padded_size: tuple[int, int]


@dataclass(frozen=True)
class CameraViews:
    """All pairs of a cell and a camera that sees it, cell after cell, packed to a common length V.

    Attributes:
        cells: (B, V) cell of each pair.
        cameras: (B, V) camera of each pair.
        seen: (B, V) false for the padding at the end.
        places: (B, V, Z, 2) fractions of the padded image.
        count: (B, P) number of cameras that see each cell.
        starts: (B, P + 1) int32 first pair of each cell, and the end of the last.
    """

    cells: Tensor
    cameras: Tensor
    seen: Tensor
    places: Tensor
    count: Tensor
    starts: Tensor

    @property
    def pairs(self) -> Pairs:
        """The pairs as deformable attention reads them."""
        return Pairs(self.cells, self.cameras, self.seen, self.starts, self.count)

    def repeat(self, times: int) -> CameraViews:
        """Return the views of one sample for several samples with the same calibration."""
        return CameraViews(*(getattr(self, field.name).repeat_interleave(times, 0) for field in fields(self)))

    def select(self, rows: list[int]) -> CameraViews:
        """Return the views of some samples."""
        return CameraViews(*(getattr(self, field.name)[rows] for field in fields(self)))


def distort(xy: Tensor, coefficients: Tensor) -> tuple[Tensor, Tensor]:
    """Return distorted normalised image points and where the lens model can be trusted.

    Args:
        xy: (..., 2) undistorted, depth one.
        coefficients: (..., D) the first D of OpenCV's k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4, broadcastable.

    Returns:
        Points (..., 2), and a mask (...) that is false where the radial part has turned back.
    """
    given = functional.pad(coefficients, (0, _LENS_COEFFICIENTS - coefficients.shape[-1]))
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = given.unbind(-1)
    x, y = xy.unbind(-1)
    r2 = x * x + y * y
    above = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    below = 1 + r2 * (k4 + r2 * (k5 + r2 * k6))
    # The sign of d(r above / below) / dr.
    slope = (1 + r2 * (3 * k1 + r2 * (5 * k2 + r2 * 7 * k3))) * below
    slope = slope - 2 * r2 * above * (k4 + r2 * (2 * k5 + r2 * 3 * k6))
    radial = above / below
    dx = 2 * p1 * x * y + p2 * (r2 + 2 * x * x) + r2 * (s1 + r2 * s2)
    dy = p1 * (r2 + 2 * y * y) + 2 * p2 * x * y + r2 * (s3 + r2 * s4)
    return torch.stack([x * radial + dx, y * radial + dy], dim=-1), (slope > 0) & (below > 0)


def project(points: Tensor, rig: CameraRig, min_depth: float = _MIN_DEPTH) -> tuple[Tensor, Tensor]:
    """Return pixel positions (B, N, ..., 2) and visibility (B, N, ...) of ego-frame points (..., 3).

    Args:
        points: in the ego frame [m].
        rig: the cameras.
        min_depth: points nearer to a camera's plane are not seen [m].
    """
    shape = points.shape[:-1]
    flat = points.reshape(-1, 3)
    rotation, translation = rig.cam_from_ego[..., :3, :3], rig.cam_from_ego[..., :3, 3]
    in_cam = torch.einsum("bnij,pj->bnpi", rotation, flat) + translation[:, :, None]
    depth = in_cam[..., 2]
    rays = in_cam[..., :2] / depth.clamp(min=min_depth)[..., None]
    bent, trusted = distort(rays, rig.distortion[:, :, None])
    focal = torch.stack([rig.intrinsic[..., 0, 0], rig.intrinsic[..., 1, 1]], dim=-1)[:, :, None]
    skew = torch.zeros_like(bent)
    skew[..., 0] = rig.intrinsic[..., 0, 1, None] * bent[..., 1]
    pixels = bent * focal + skew + rig.intrinsic[:, :, None, :2, 2]
    width, height = rig.image_size
    inside = (
        (pixels[..., 0] > 0) & (pixels[..., 0] < width) & (pixels[..., 1] > 0) & (pixels[..., 1] < height)
    )
    visible = (depth > min_depth) & trusted & inside
    return pixels.reshape(*pixels.shape[:2], *shape, 2), visible.reshape(*visible.shape[:2], *shape)


@torch.no_grad()
def view_cells(
    centers: Tensor,
    heights: Tensor,
    rig: CameraRig,
    min_depth: float = _MIN_DEPTH,
    first_mask: bool = False,
) -> CameraViews:
    """Return which cells the cameras of each sample see, and where.

    Every sample has its own mask, so calibrations may differ inside a batch.

    Args:
        centers: (P, 2) cell centres in the ego frame [m].
        heights: (Z,) heights above the ground at which a cell is looked for [m].
        rig: cameras of each sample.
        min_depth: see `project`.
        first_mask: as published, what the first sample's cameras see decides for all samples; counts stay their own.
    """
    count, levels = len(centers), len(heights)
    points = torch.cat(
        [centers[:, None].expand(count, levels, 2), heights[None, :, None].expand(count, levels, 1)], dim=-1
    )
    pixels, visible = project(points, rig, min_depth)
    seen = visible.any(-1)  # B, N, P
    asked = seen[:1].expand_as(seen) if first_mask else seen
    # A stable order keeps the packing of a sample the same whatever else is in the batch.
    flat = asked.transpose(1, 2).flatten(1)  # B, P * N
    order = torch.sort(flat.to(torch.uint8), dim=-1, descending=True, stable=True).indices
    pairs = order[:, : max(int(flat.sum(-1).max()), 1)]
    picked = pairs[..., None, None].expand(*pairs.shape, levels, 2)
    places = torch.gather(pixels.transpose(1, 2).flatten(1, 2), 1, picked)
    width, height = rig.padded_size
    places = torch.stack([places[..., 0] / width, places[..., 1] / height], dim=-1)
    cameras = seen.shape[1]
    return CameraViews(
        cells=pairs // cameras,
        cameras=pairs % cameras,
        seen=torch.gather(flat, 1, pairs),
        # Far outside there is nothing to read; the bound keeps the arithmetic finite.
        places=places.clamp(-4.0, 4.0),
        count=seen.sum(1),
        starts=functional.pad(asked.sum(1).cumsum(1), (1, 0)).int(),
    )

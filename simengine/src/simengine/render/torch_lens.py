"""Projection through real lenses and rolling shutters in torch, on any device; `reference_lens` is the obvious version.

On a GPU with Triton one kernel does the same (`triton_lens`), several times faster.

gsplat has an unscented projection of its own, which drops whatever touches the outside of the image or a part where
the lens shrinks by a fifth. This one follows the rules of `unscented` and keeps only what is visible.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simengine.render.backend import EPS_2D, EXTENT_SIGMAS, FAR_PLANE, MIN_ALPHA, NEAR_PLANE
from simengine.render.cpu_lens import COEFFICIENTS, END, FOLD, START, STRETCH
from simengine.render.unscented import (
    CENTER_WEIGHT,
    MARGIN,
    MIN_DEPTH_SHARE,
    SHUTTER_ITERATIONS,
    SPREAD,
    WEIGHT,
)

if TYPE_CHECKING:
    import torch

    Point = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Seen:
    """M Gaussians on the images of some cameras; tensors.

    Attributes:
        camera: (M,) int64 camera.
        row: (M,) int64 row in the scene.
        center_px: (M, 2).
        radius_px: (M, 2) int32.
        depth: (M,).
        conic: (M, 3) inverse covariance xx, xy, yy.
        opacity: (M,) after compensation.
    """

    camera: torch.Tensor
    row: torch.Tensor
    center_px: torch.Tensor
    radius_px: torch.Tensor
    depth: torch.Tensor
    conic: torch.Tensor
    opacity: torch.Tensor


class LensProjection:
    """Projects scenes onto C cameras of one size.

    Args:
        torch: the module.
        views: (C, 46) float32 rows of `cpu_lens.lens_view`.
        width_px: image width.
        height_px: image height.
        rolling: whether the cameras move while their rows are read.
    """

    def __init__(self, torch: Any, views: torch.Tensor, width_px: int, height_px: int, rolling: bool) -> None:
        self._torch, self._views, self._rolling = torch, views, rolling
        self._width, self._height = float(width_px), float(height_px)
        center = 0.5 * (views[:, START + 4 : START + 7] + views[:, END + 4 : END + 7])
        self._mid = torch.cat([views[:, 6:15], center], dim=1)
        # Most lenses leave most coefficients at zero, and work on zeros can be saved.
        self._used = (views[:, COEFFICIENTS:FOLD] != 0.0).any(0).tolist()
        self._folds = bool((views[:, FOLD] < 100.0).any())

    def __call__(self, scene: dict[str, torch.Tensor]) -> Seen:
        """Return what the cameras see of `means` (N, 3), `quats` (N, 4), `scales` (N, 3) and `opacities` (N,)."""
        return self.fused(scene) if has_kernel(self._views) else self.plain(scene)

    def fused(self, scene: dict[str, torch.Tensor]) -> Seen:
        """Return the same by the kernel."""
        from simengine.render import triton_lens

        return Seen(*triton_lens.project(scene, self._views, self._mid, self._rolling))

    def plain(self, scene: dict[str, torch.Tensor]) -> Seen:
        """Return the same operation by operation."""
        torch = self._torch
        camera, row = self._candidates(scene).nonzero().unbind(1)
        mean = scene["means"][row]
        steps = _axes(torch, scene["quats"][row]) * (SPREAD * scene["scales"][row])[:, None, :]
        middle = self._to_camera(mean.unbind(1), camera)
        turned = self._mid[:, :9].reshape(-1, 3, 3)[camera] @ steps
        u, w = self._land(_around(torch, middle, turned), middle[2], camera)
        if self._rolling:
            u, w = self._correct(_around(torch, mean.unbind(1), steps), w, middle[2], camera)
        du, dw = u[1:] - u[0], w[1:] - w[0]
        shift_x, shift_y = WEIGHT * du.sum(0), WEIGHT * dw.sum(0)
        xx = WEIGHT * (du * du).sum(0) + CENTER_WEIGHT * shift_x * shift_x
        xy = WEIGHT * (du * dw).sum(0) + CENTER_WEIGHT * shift_x * shift_y
        yy = WEIGHT * (dw * dw).sum(0) + CENTER_WEIGHT * shift_y * shift_y
        inside = self._within(u[0], w[0], MARGIN * self._width, MARGIN * self._height)
        center = torch.stack([u[0] + shift_x, w[0] + shift_y], dim=1)
        seen = Seen(camera, row, center, center, middle[2], center, scene["opacities"][row])
        return self._visible(seen, xx, xy, yy, inside)

    def _candidates(self, scene: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return (C, N) whether a Gaussian may touch an image, by twice the radius of a linear projection."""
        torch, views = self._torch, self._views
        point = scene["means"].unbind(1)
        x, y, z = self._to_camera(point, None)
        slope2 = (x * x + y * y) / (z * z)
        u, w = self._through_lens(x / z, y / z, None)
        size = scene["scales"].amax(1)
        slack = 2.0 * EXTENT_SIGMAS * EPS_2D**0.5 + 2.0
        per_slope = 2.0 * EXTENT_SIGMAS * views[:, :2].amax(1) * views[:, STRETCH]
        limit = MARGIN * max(self._width, self._height)
        reach = (per_slope[:, None] * size * (1.0 + slope2) / z + slack).clamp(max=limit)
        reach = torch.where(z > 2.0 * size, reach, limit)
        if self._rolling:
            start = torch.zeros((len(views), 1), device=z.device)
            x0, y0, z0 = self._at_row(point, None, start)
            z0 = z0.clamp(min=NEAR_PLANE)
            u0, w0 = self._through_lens(x0 / z0, y0 / z0, None)
            reach = reach + 2.0 * torch.maximum((u0 - u).abs(), (w0 - w).abs()) + slack
        seen = (z >= NEAR_PLANE) & (z <= FAR_PLANE) & (slope2 < views[:, FOLD, None] ** 2)
        return seen & self._within(u, w, reach, reach)

    def _within(self, u: torch.Tensor, w: torch.Tensor, reach_x: Any, reach_y: Any) -> torch.Tensor:
        """Return whether places lie in the image or at most so far beside it."""
        inside = (u + reach_x > 0.0) & (u - reach_x < self._width)
        return inside & (w + reach_y > 0.0) & (w - reach_y < self._height)

    def _to_camera(self, point: Point, camera: torch.Tensor | None) -> Point:
        """Return world points in the frame that each camera has in the middle of the read-out."""
        m = [_column(self._mid, k, camera) for k in range(12)]
        x, y, z = (point[i] - m[9 + i] for i in range(3))
        return tuple(m[i] * x + m[i + 1] * y + m[i + 2] * z for i in (0, 3, 6))

    def _at_row(self, point: Point, camera: torch.Tensor | None, share: torch.Tensor) -> Point:
        """Return world points in the frame that each camera has at `share` of the read-out."""
        start, end = ([_column(self._views, at + k, camera) for k in range(7)] for at in (START, END))
        qw, qx, qy, qz, *center = (a + share * (b - a) for a, b in zip(start, end, strict=True))
        px, py, pz = (point[i] - center[i] for i in range(3))
        norm = 2.0 / (qw * qw + qx * qx + qy * qy + qz * qz)
        cx, cy, cz = qy * pz - qz * py + qw * px, qz * px - qx * pz + qw * py, qx * py - qy * px + qw * pz
        x, y, z = qy * cz - qz * cy, qz * cx - qx * cz, qx * cy - qy * cx
        return px + norm * x, py + norm * y, pz + norm * z

    def _land(
        self, local: Point, depth: torch.Tensor, camera: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return where points (7, M) of the camera frames land [px], none nearer than its centre's `depth` allows."""
        z = self._torch.maximum(local[2], MIN_DEPTH_SHARE * depth)
        return self._through_lens(local[0] / z, local[1] / z, camera)

    def _correct(
        self, point: Point, w: torch.Tensor, depth: torch.Tensor, camera: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return where world points (7, M) land [px], each seen when the row it falls on, about `w`, is read."""
        for _ in range(SHUTTER_ITERATIONS):
            share = (w / self._height).clamp(-MARGIN, 1.0 + MARGIN)
            u, w = self._land(self._at_row(point, camera, share), depth, camera)
        return u, w

    def _through_lens(
        self, x: torch.Tensor, y: torch.Tensor, camera: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return where rays of slopes (x, y) land [px]; those beyond the fold are pulled to it."""
        torch, used = self._torch, self._used
        fx, fy, cx, cy = (_column(self._views, k, camera) for k in range(4))
        k1, k2, k3, k4, k5, k6, p1, p2, s1, s2, s3, s4 = (
            _column(self._views, COEFFICIENTS + k, camera) if used[k] else None for k in range(12)
        )
        r2 = torch.addcmul(x * x, y, y)
        if self._folds:
            fold = _column(self._views, FOLD, camera)
            scale = (fold * r2.rsqrt()).clamp(max=1.0)
            x, y, r2 = x * scale, y * scale, torch.minimum(r2, fold * fold)
        factor = _series(r2, (k1, k2, k3))
        below = _series(r2, (k4, k5, k6))
        factor = factor if below is None else (1.0 if factor is None else factor) / below
        u, w = (x, y) if factor is None else (x * factor, y * factor)
        if p1 is not None or p2 is not None:
            # Both axes share x (2 p1 y + 2 p2 x) and y (2 p1 y + 2 p2 x), besides p2 r^2 and p1 r^2.
            p1, p2 = (torch.zeros_like(fx) if p is None else p for p in (p1, p2))
            slant = torch.addcmul((2.0 * p1) * y, 2.0 * p2, x)
            u, w = (
                torch.addcmul(torch.addcmul(u, x, slant), p2, r2),
                torch.addcmul(torch.addcmul(w, y, slant), p1, r2),
            )
        for k, (first, second) in enumerate(((s1, s2), (s3, s4))):
            if first is not None or second is not None:
                zero = torch.zeros_like(fx)
                prism = r2 * ((zero if first is None else first) + r2 * (zero if second is None else second))
                u, w = (u + prism, w) if k == 0 else (u, w + prism)
        return torch.addcmul(cx, fx, u), torch.addcmul(cy, fy, w)

    def _visible(
        self, seen: Seen, xx: torch.Tensor, xy: torch.Tensor, yy: torch.Tensor, inside: torch.Tensor
    ) -> Seen:
        """Return those of `seen` that can touch the image, with radii, conics and compensated opacities."""
        torch = self._torch
        sharp = xx * yy - xy * xy
        xx, yy = xx + EPS_2D, yy + EPS_2D
        blurred = xx * yy - xy * xy
        opacity = seen.opacity * (sharp / blurred).clamp(min=0.0).sqrt()
        extent = (2.0 * (opacity / MIN_ALPHA).clamp(min=1.0).log()).sqrt().clamp(max=EXTENT_SIGMAS)
        radius = (extent[:, None] * torch.stack([xx, yy], dim=1).sqrt()).ceil()
        u, w = seen.center_px.unbind(1)
        kept = (inside & (blurred > 0.0) & (opacity >= MIN_ALPHA)) & self._within(u, w, *radius.unbind(1))
        kept = kept.nonzero()[:, 0]
        conic = torch.stack([yy, -xy, xx], dim=1) / blurred[:, None]
        return Seen(
            seen.camera[kept],
            seen.row[kept],
            seen.center_px[kept],
            radius[kept].to(torch.int32),
            seen.depth[kept],
            conic[kept],
            opacity[kept],
        )


def has_kernel(views: torch.Tensor) -> bool:
    """Return whether the kernel runs where `views` are: Triton and a GPU, or Triton's interpreter."""
    if importlib.util.find_spec("triton") is None:
        return False
    return views.is_cuda or os.environ.get("TRITON_INTERPRET") == "1"


def _axes(torch: Any, quats: torch.Tensor) -> torch.Tensor:
    """Return rotation matrices (M, 3, 3) of wxyz quaternions (M, 4), whose columns are the axes of Gaussians."""
    w, x, y, z = (quats / quats.norm(dim=1, keepdim=True)).unbind(1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=1).reshape(-1, 3, 3)


def _around(torch: Any, center: Point, steps: torch.Tensor) -> Point:
    """Return coordinates (7, M) of points `center` (M,) and those one step (M, 3, 3: axis last) to either side."""
    spread = (torch.cat([torch.zeros_like(center[0])[None], s.T, -s.T]) for s in steps.unbind(1))
    return tuple(c + s for c, s in zip(center, spread, strict=True))


def _column(table: torch.Tensor, column: int, camera: torch.Tensor | None) -> torch.Tensor:
    """Return a column of (C, K): (M,) for Gaussians of the given cameras, (C, 1) for all Gaussians of all cameras."""
    return table[:, column, None] if camera is None else table[:, column][camera]


def _series(r2: torch.Tensor, coefficients: tuple[torch.Tensor | None, ...]) -> torch.Tensor | None:
    """Return 1 + c1 r^2 + c2 r^4 + c3 r^6, None if no coefficient is given; those that are None count as zero."""
    total = None
    for c in reversed(coefficients):
        grown = None if total is None else total * r2
        total = c if grown is None else grown if c is None else c + grown
    return None if total is None else 1.0 + total * r2

"""Projection through lenses and shutters as one Triton kernel; `torch_lens` is the same in plain torch.

Imports Triton, so only `torch_lens` imports this, on a GPU. One program projects a block of Gaussians for one camera.
It runs twice: first to mark what is visible, then to write that to its place, so that the order is always the same.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from simengine.render import backend, cpu_lens, unscented

_BLOCK = 128
_WIDTH, _HEIGHT = tl.constexpr(4), tl.constexpr(5)
_ROTATION, _CENTER = tl.constexpr(0), tl.constexpr(9)
_START, _END = tl.constexpr(cpu_lens.START), tl.constexpr(cpu_lens.END)
_COEFFICIENTS = tl.constexpr(cpu_lens.COEFFICIENTS)
_FOLD, _STRETCH = tl.constexpr(cpu_lens.FOLD), tl.constexpr(cpu_lens.STRETCH)
_VIEW_SIZE, _MIDDLE_SIZE = tl.constexpr(cpu_lens.LENS_VIEW_SIZE), tl.constexpr(12)
_NEAR, _FAR = tl.constexpr(backend.NEAR_PLANE), tl.constexpr(backend.FAR_PLANE)
_EPS, _BLUR = tl.constexpr(backend.EPS_2D), tl.constexpr(backend.EPS_2D**0.5)
_SIGMAS, _MIN_ALPHA = tl.constexpr(backend.EXTENT_SIGMAS), tl.constexpr(backend.MIN_ALPHA)
_SPREAD, _WEIGHT = tl.constexpr(unscented.SPREAD), tl.constexpr(unscented.WEIGHT)
_CENTER_WEIGHT, _MARGIN = tl.constexpr(unscented.CENTER_WEIGHT), tl.constexpr(unscented.MARGIN)
_MIN_DEPTH_SHARE = tl.constexpr(unscented.MIN_DEPTH_SHARE)
_ITERATIONS = tl.constexpr(unscented.SHUTTER_ITERATIONS)


def project(
    scene: dict[str, torch.Tensor], views: torch.Tensor, middles: torch.Tensor, rolling: bool
) -> tuple[torch.Tensor, ...]:
    """Return the fields of `torch_lens.Seen`, camera by camera and row by row.

    Args:
        scene: `means` (N, 3), `quats` (N, 4), `scales` (N, 3) and `opacities` (N,), contiguous float32.
        views: (C, 46) float32 rows of `cpu_lens.lens_view`.
        middles: (C, 12) float32 rotation and centre of each camera in the middle of its read-out.
        rolling: whether the cameras move while their rows are read.
    """
    count, cameras, device = len(scene["means"]), len(views), views.device
    grid = (triton.cdiv(count, _BLOCK), cameras)
    visible = torch.zeros(cameras * count, dtype=torch.int8, device=device)
    fields = tuple(scene[name] for name in ("means", "quats", "scales", "opacities"))
    inputs = (*fields, views.contiguous(), middles.contiguous(), visible)
    empty = _outputs(0, device)
    _project[grid](*inputs, visible, *empty, count, ROLLING=rolling, WRITE=False, BLOCK=_BLOCK)
    place = visible.cumsum(0, dtype=torch.int64) - 1
    out = _outputs(int(place[-1]) + 1, device)
    _project[grid](*inputs, place, *out, count, ROLLING=rolling, WRITE=True, BLOCK=_BLOCK)
    return out


def _outputs(count: int, device: torch.device) -> tuple[torch.Tensor, ...]:
    kinds = (
        ((), torch.int64), ((), torch.int64), ((2,), torch.float32), ((2,), torch.int32),
        ((), torch.float32), ((3,), torch.float32), ((), torch.float32),
    )  # fmt: skip
    return tuple(torch.empty((count, *shape), dtype=dtype, device=device) for shape, dtype in kinds)


@triton.jit
def _through_lens(v, x, y):
    """Where rays of slopes (x, y) land [px]; those beyond the fold are pulled to it."""
    c = v + _COEFFICIENTS
    fold = tl.load(v + _FOLD)
    r2 = x * x + y * y
    scale = tl.minimum(fold / tl.sqrt(tl.maximum(r2, 1e-30)), 1.0)
    x, y, r2 = x * scale, y * scale, tl.minimum(r2, fold * fold)
    radial = 1.0 + r2 * (tl.load(c) + r2 * (tl.load(c + 1) + r2 * tl.load(c + 2)))
    radial /= 1.0 + r2 * (tl.load(c + 3) + r2 * (tl.load(c + 4) + r2 * tl.load(c + 5)))
    p1, p2 = tl.load(c + 6), tl.load(c + 7)
    slant = 2.0 * p1 * y + 2.0 * p2 * x
    u = x * (radial + slant) + r2 * (p2 + tl.load(c + 8) + r2 * tl.load(c + 9))
    w = y * (radial + slant) + r2 * (p1 + tl.load(c + 10) + r2 * tl.load(c + 11))
    return tl.load(v) * u + tl.load(v + 2), tl.load(v + 1) * w + tl.load(v + 3)


@triton.jit
def _mixed(v, k: tl.constexpr, share):
    """One number of the camera's pose at `share` of the read-out."""
    first = tl.load(v + _START + k)
    return first + share * (tl.load(v + _END + k) - first)


@triton.jit
def _at_row(v, px, py, pz, share):
    """World points in the frame that the camera has at `share` of the read-out."""
    qw, qx, qy, qz = _mixed(v, 0, share), _mixed(v, 1, share), _mixed(v, 2, share), _mixed(v, 3, share)
    px, py, pz = px - _mixed(v, 4, share), py - _mixed(v, 5, share), pz - _mixed(v, 6, share)
    norm = 2.0 / (qw * qw + qx * qx + qy * qy + qz * qz)
    cx, cy, cz = qy * pz - qz * py + qw * px, qz * px - qx * pz + qw * py, qx * py - qy * px + qw * pz
    return (
        px + norm * (qy * cz - qz * cy),
        py + norm * (qz * cx - qx * cz),
        pz + norm * (qx * cy - qy * cx),
    )


@triton.jit
def _land(v, x, y, z, px, py, pz, nearest, ROLLING: tl.constexpr):
    """Where points land [px]: (x, y, z) in the middle of the read-out, and in the world."""
    z = tl.maximum(z, nearest)
    u, w = _through_lens(v, x / z, y / z)
    if ROLLING:
        for _ in tl.static_range(_ITERATIONS):
            share = tl.minimum(tl.maximum(w / tl.load(v + _HEIGHT), -_MARGIN), 1.0 + _MARGIN)
            x, y, z = _at_row(v, px, py, pz, share)
            z = tl.maximum(z, nearest)
            u, w = _through_lens(v, x / z, y / z)
    return u, w


@triton.jit
def _within(v, u, w, reach_x, reach_y):
    """Whether places lie in the image or at most so far beside it."""
    inside = (u + reach_x > 0.0) & (u - reach_x < tl.load(v + _WIDTH))
    return inside & (w + reach_y > 0.0) & (w - reach_y < tl.load(v + _HEIGHT))


@triton.jit
def _candidate(v, x, y, z, px, py, pz, size, ROLLING: tl.constexpr):
    """Whether Gaussians may touch the image, by twice the radius of a linear projection."""
    slope2 = (x * x + y * y) / (z * z)
    u, w = _through_lens(v, x / z, y / z)
    slack = 2.0 * _SIGMAS * _BLUR + 2.0
    per_slope = 2.0 * _SIGMAS * tl.maximum(tl.load(v), tl.load(v + 1)) * tl.load(v + _STRETCH)
    limit = _MARGIN * tl.maximum(tl.load(v + _WIDTH), tl.load(v + _HEIGHT))
    reach = tl.minimum(per_slope * size * (1.0 + slope2) / z + slack, limit)
    reach = tl.where(z > 2.0 * size, reach, limit)
    if ROLLING:
        x0, y0, z0 = _at_row(v, px, py, pz, 0.0)
        z0 = tl.maximum(z0, _NEAR)
        u0, w0 = _through_lens(v, x0 / z0, y0 / z0)
        reach += 2.0 * tl.maximum(tl.abs(u0 - u), tl.abs(w0 - w)) + slack
    fold = tl.load(v + _FOLD)
    return (z >= _NEAR) & (z <= _FAR) & (slope2 < fold * fold) & _within(v, u, w, reach, reach)


@triton.jit
def _axis(qw, qx, qy, qz, k: tl.constexpr):
    """Column `k` of the rotation of unit quaternions."""
    if k == 0:
        return 1.0 - 2.0 * (qy * qy + qz * qz), 2.0 * (qx * qy + qw * qz), 2.0 * (qx * qz - qw * qy)
    elif k == 1:
        return 2.0 * (qx * qy - qw * qz), 1.0 - 2.0 * (qx * qx + qz * qz), 2.0 * (qy * qz + qw * qx)
    else:
        return 2.0 * (qx * qz + qw * qy), 2.0 * (qy * qz - qw * qx), 1.0 - 2.0 * (qx * qx + qy * qy)


@triton.jit
def _turned(m, x, y, z):
    """World directions in the frame of the camera in the middle of the read-out."""
    m += _ROTATION
    return (
        tl.load(m) * x + tl.load(m + 1) * y + tl.load(m + 2) * z,
        tl.load(m + 3) * x + tl.load(m + 4) * y + tl.load(m + 5) * z,
        tl.load(m + 6) * x + tl.load(m + 7) * y + tl.load(m + 8) * z,
    )


@triton.jit
def _project(
    means, quats, scales, opacities, views, middles, visible, place,
    cameras, rows, centers, radii, depths, conics, alphas, count,
    ROLLING: tl.constexpr, WRITE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    camera = tl.program_id(1)
    v, m = views + camera * _VIEW_SIZE, middles + camera * _MIDDLE_SIZE
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    there = i < count
    pair = camera.to(tl.int64) * count + i
    px = tl.load(means + 3 * i, mask=there, other=0.0)
    py = tl.load(means + 3 * i + 1, mask=there, other=0.0)
    pz = tl.load(means + 3 * i + 2, mask=there, other=0.0)
    mx, my, mz = tl.load(m + _CENTER), tl.load(m + _CENTER + 1), tl.load(m + _CENTER + 2)
    x, y, z = _turned(m, px - mx, py - my, pz - mz)
    if WRITE:
        there = there & (tl.load(visible + pair, mask=there, other=0) != 0)
    else:
        size = tl.load(scales + 3 * i, mask=there, other=0.0)
        size = tl.maximum(size, tl.load(scales + 3 * i + 1, mask=there, other=0.0))
        size = tl.maximum(size, tl.load(scales + 3 * i + 2, mask=there, other=0.0))
        there = there & _candidate(v, x, y, z, px, py, pz, size, ROLLING)
    # Most blocks of most cameras see nothing.
    if tl.max(there.to(tl.int32), axis=0) > 0:
        nearest = _MIN_DEPTH_SHARE * z
        u0, w0 = _land(v, x, y, z, px, py, pz, nearest, ROLLING)
        qw = tl.load(quats + 4 * i, mask=there, other=1.0)
        qx = tl.load(quats + 4 * i + 1, mask=there, other=0.0)
        qy = tl.load(quats + 4 * i + 2, mask=there, other=0.0)
        qz = tl.load(quats + 4 * i + 3, mask=there, other=0.0)
        unit = 1.0 / tl.sqrt(qw * qw + qx * qx + qy * qy + qz * qz)
        qw, qx, qy, qz = qw * unit, qx * unit, qy * unit, qz * unit
        shift_x, shift_y = tl.zeros_like(u0), tl.zeros_like(u0)
        xx, xy, yy = tl.zeros_like(u0), tl.zeros_like(u0), tl.zeros_like(u0)
        for k in tl.static_range(3):
            ex, ey, ez = _axis(qw, qx, qy, qz, k)
            step = _SPREAD * tl.load(scales + 3 * i + k, mask=there, other=0.0)
            ex, ey, ez = ex * step, ey * step, ez * step
            tx, ty, tz = _turned(m, ex, ey, ez)
            for side in tl.static_range(2):
                sign = 1.0 - 2.0 * side
                u, w = _land(
                    v, x + sign * tx, y + sign * ty, z + sign * tz,
                    px + sign * ex, py + sign * ey, pz + sign * ez, nearest, ROLLING,
                )  # fmt: skip
                du, dw = u - u0, w - w0
                shift_x += du
                shift_y += dw
                xx += du * du
                xy += du * dw
                yy += dw * dw
        shift_x, shift_y = _WEIGHT * shift_x, _WEIGHT * shift_y
        xx = _WEIGHT * xx + _CENTER_WEIGHT * shift_x * shift_x
        xy = _WEIGHT * xy + _CENTER_WEIGHT * shift_x * shift_y
        yy = _WEIGHT * yy + _CENTER_WEIGHT * shift_y * shift_y
        sharp = xx * yy - xy * xy
        xx, yy = xx + _EPS, yy + _EPS
        blurred = xx * yy - xy * xy
        alpha = tl.load(opacities + i, mask=there, other=0.0) * tl.sqrt(tl.maximum(sharp / blurred, 0.0))
        extent = tl.minimum(tl.sqrt(2.0 * tl.log(tl.maximum(alpha / _MIN_ALPHA, 1.0))), _SIGMAS)
        radius_x, radius_y = tl.ceil(extent * tl.sqrt(xx)), tl.ceil(extent * tl.sqrt(yy))
        u, w = u0 + shift_x, w0 + shift_y
        if WRITE:
            at = tl.load(place + pair, mask=there, other=0)
            tl.store(cameras + at, (camera + 0 * at).to(tl.int64), mask=there)
            tl.store(rows + at, i.to(tl.int64), mask=there)
            tl.store(centers + 2 * at, u, mask=there)
            tl.store(centers + 2 * at + 1, w, mask=there)
            tl.store(radii + 2 * at, radius_x.to(tl.int32), mask=there)
            tl.store(radii + 2 * at + 1, radius_y.to(tl.int32), mask=there)
            tl.store(depths + at, z, mask=there)
            tl.store(conics + 3 * at, yy / blurred, mask=there)
            tl.store(conics + 3 * at + 1, -xy / blurred, mask=there)
            tl.store(conics + 3 * at + 2, xx / blurred, mask=there)
            tl.store(alphas + at, alpha, mask=there)
        else:
            margin_x, margin_y = _MARGIN * tl.load(v + _WIDTH), _MARGIN * tl.load(v + _HEIGHT)
            kept = there & _within(v, u0, w0, margin_x, margin_y) & (blurred > 0.0)
            kept = kept & (alpha >= _MIN_ALPHA) & _within(v, u, w, radius_x, radius_y)
            tl.store(visible + pair, kept.to(tl.int8), mask=there)

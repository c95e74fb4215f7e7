"""gsplat's functions on the processor: what they take and give back is gsplat 1.5.3's, packed, without gradients."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch

from simengine.render import sh
from simengine.render.backend import MAX_ALPHA, MIN_ALPHA, MIN_TRANSMITTANCE
from simengine.render.cpu_projection import find_candidates, project_candidates


def fully_fused_projection(
    means, covars, quats, scales, viewmats, Ks, width, height, eps2d, near_plane, far_plane, packed,
    calc_compensations, opacities,
):  # fmt: skip
    assert covars is None and packed and calc_compensations
    arrays = [t.numpy() for t in (means, quats, scales, opacities)]
    blank = np.zeros((len(means), 1, 3), np.float32)
    cameras, rows, splats = [], [], []
    for c, (view, k) in enumerate(zip(viewmats.double().numpy(), Ks.double().numpy(), strict=True)):
        row = np.array(
            [k[0, 0], k[1, 1], k[0, 2], k[1, 2], width, height, *view[:3, :3].ravel(), *view[:3, 3]]
        )
        for i in find_candidates(arrays[0], arrays[2], row):
            seen = project_candidates(*arrays, blank, row, np.array([i], np.int32))
            if len(seen):
                cameras.append(c), rows.append(i), splats.append(seen[0])
    s = torch.from_numpy(np.array(splats, np.float32).reshape(-1, 12))
    rows = torch.tensor(rows, dtype=torch.int64)
    compensation = s[:, 5] / opacities[rows]
    radii = s[:, 10:12].to(torch.int32)
    cameras = torch.tensor(cameras, dtype=torch.int64)
    return torch.zeros_like(cameras), cameras, rows, radii, s[:, :2], s[:, 9], s[:, 2:5], compensation


def spherical_harmonics(degree, directions, coefficients):
    unit = directions / directions.norm(dim=1, keepdim=True)
    basis = torch.from_numpy(sh.basis(unit.numpy(), degree)).float()
    return torch.einsum("nk,nkc->nc", basis, coefficients[:, : basis.shape[1]])


def isect_tiles(
    means2d, radii, depths, tile_size, tile_width, tile_height, packed, n_images, image_ids, gaussian_ids
):
    assert packed and radii.dtype == torch.int32 and image_ids.dtype == gaussian_ids.dtype == torch.int64
    assert len(image_ids) == 0 or int(image_ids.max()) < n_images
    keys = []
    for m, ((x, y), (rx, ry)) in enumerate(zip(means2d.tolist(), radii.tolist(), strict=True)):
        x0, x1 = (
            max(int(np.floor((x - rx) / tile_size)), 0),
            min(int(np.ceil((x + rx) / tile_size)), tile_width),
        )
        y0, y1 = (
            max(int(np.floor((y - ry) / tile_size)), 0),
            min(int(np.ceil((y + ry) / tile_size)), tile_height),
        )
        for tile_y in range(y0, y1):
            for tile_x in range(x0, x1):
                tile = (int(image_ids[m]) * tile_height + tile_y) * tile_width + tile_x
                keys.append((tile, float(depths[m]), m))
    keys.sort()
    return None, torch.tensor([k[0] for k in keys]), torch.tensor([k[2] for k in keys], dtype=torch.int32)


def isect_offset_encode(pairs, n_images, tile_width, tile_height):
    return torch.searchsorted(pairs, torch.arange(n_images * tile_height * tile_width)).to(torch.int32)


def rasterize_to_pixels(
    means2d,
    conics,
    colors,
    opacities,
    image_width,
    image_height,
    tile_size,
    isect_offsets,
    flatten_ids,
    packed,
):
    assert packed and len(means2d) == len(conics) == len(colors) == len(opacities)
    images, tiles_y, tiles_x = isect_offsets.shape
    starts = [*isect_offsets.ravel().tolist(), len(flatten_ids)]
    drawn = np.zeros((images, tiles_y * tile_size, tiles_x * tile_size, colors.shape[1]), np.float32)
    alphas = np.zeros((*drawn.shape[:3], 1), np.float32)
    m, q, c, o = (t.numpy() for t in (means2d, conics, colors, opacities))
    for tile, (start, stop) in enumerate(pairwise(starts)):
        image, ty, tx = np.unravel_index(tile, isect_offsets.shape)
        rows, columns = (
            slice(ty * tile_size, (ty + 1) * tile_size),
            slice(tx * tile_size, (tx + 1) * tile_size),
        )
        y, x = np.mgrid[rows, columns] + 0.5
        light, alive = np.ones((tile_size, tile_size)), np.ones((tile_size, tile_size), bool)
        for g in flatten_ids[start:stop].tolist():
            dx, dy = m[g, 0] - x, m[g, 1] - y
            power = 0.5 * (q[g, 0] * dx * dx + q[g, 2] * dy * dy) + q[g, 1] * dx * dy
            alpha = np.minimum(MAX_ALPHA, o[g] * np.exp(-power))
            touched = alive & (power >= 0.0) & (alpha >= MIN_ALPHA)
            left = light * (1.0 - alpha)
            alive &= ~(touched & (left <= MIN_TRANSMITTANCE))
            touched &= alive
            drawn[image, rows, columns] += np.where(touched, alpha * light, 0.0)[..., None] * c[g]
            light = np.where(touched, left, light)
        alphas[image, rows, columns, 0] = 1.0 - light
    inside = (slice(None), slice(image_height), slice(image_width))
    return torch.from_numpy(drawn[inside].copy()), torch.from_numpy(alphas[inside].copy())

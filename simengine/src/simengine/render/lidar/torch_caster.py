"""Follows rays with torch, on a CUDA device or any other; imports torch when it is made, not before.

Everything that a ray may meet is evaluated at once, what it meets is sorted along it, and a running sum of logarithms
finds where half of the light is back. Arithmetic is in double precision, as on the processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from simengine.datatypes.vehicle import VehicleParams
from simengine.errors import RenderBackendError
from simengine.render.backend import MAX_ALPHA, MIN_ALPHA
from simengine.render.gaussians import FlatGaussians
from simengine.render.lidar.binning import TILE_AZIMUTHS, TILE_BEAMS
from simengine.render.lidar.caster import HIT_OPACITY, Returns
from simengine.render.lidar.pattern import LidarPattern, SpinningLidar, make_rays
from simengine.render.lidar.surfels import Surfels, surfels_of
from simengine.render.lidar.torch_binning import find_pairs

if TYPE_CHECKING:
    import torch

_PAIRS_AT_ONCE = 1 << 17


class TorchCaster:
    """A ray caster for a device.

    Args:
        pattern: what to cast.
        vehicle: rays into its body are not followed; None for a sensor in the open.
        device: torch device.
    """

    def __init__(
        self, pattern: LidarPattern, vehicle: VehicleParams | None = None, device: str = "cuda"
    ) -> None:
        self._torch = _import(device)
        self._device = self._torch.device(device)
        self._pattern = pattern
        self._rays = make_rays(pattern, vehicle)
        self._known: WeakKeyDictionary[FlatGaussians, dict[str, Any]] = WeakKeyDictionary()

    def cast(self, gaussians: Sequence[FlatGaussians], scene_from_ego: np.ndarray) -> Returns:
        """Return how far the rays go; see `RayCaster.cast`."""
        torch, pattern, rays = self._torch, self._pattern, self._rays
        with torch.inference_mode():
            scene = self._near(gaussians, scene_from_ego)
            rotation, found = scene_from_ego[:3, :3], []
            for index, lidar in enumerate(pattern.sensors):
                mine = rays.sensor == index
                origin = self._upload(rotation @ np.array(lidar.origin) + scene_from_ego[:3, 3])
                directions = self._upload(rays.directions[mine] @ rotation.T)
                clear = torch.from_numpy(rays.clear[mine]).to(self._device)
                tiles, rows = find_pairs(scene, lidar, origin, self._upload(rotation.T), pattern.max_range)
                hits = self._hits(scene, lidar, origin, directions, clear, tiles, rows)
                found.append(self._first_returns(scene, directions, *hits))
            ranges, light = (torch.cat([part[k] for part in found]).cpu().numpy() for k in range(2))
        return Returns(ranges, light)

    def _upload(self, array: np.ndarray) -> torch.Tensor:
        return self._torch.from_numpy(np.ascontiguousarray(array, dtype=np.float64)).to(self._device)

    def _near(
        self, gaussians: Sequence[FlatGaussians], scene_from_ego: np.ndarray
    ) -> dict[str, torch.Tensor]:
        """Return the surfels within reach as double tensors."""
        torch, pattern = self._torch, self._pattern
        reach = pattern.max_range + max((np.linalg.norm(s.origin) for s in pattern.sensors), default=0.0)
        center, parts = self._upload(scene_from_ego[:3, 3]), []
        for part in gaussians:
            if part not in self._known:
                surfels = surfels_of(part)
                self._known[part] = {
                    field.name: torch.from_numpy(getattr(surfels, field.name)).to(self._device)
                    for field in fields(Surfels)
                }
            known = self._known[part]
            if len(known["means"]):
                size = known["reach"] * known["variances"].amax(1).sqrt()
                rows = ((known["means"] - center).norm(dim=1) <= reach + size).nonzero()[:, 0]
                parts.append({name: value[rows].double() for name, value in known.items()})
            else:
                parts.append({name: value.double() for name, value in known.items()})
        return {field.name: torch.cat([p[field.name] for p in parts]) for field in fields(Surfels)}

    def _hits(
        self,
        scene: dict[str, torch.Tensor],
        lidar: SpinningLidar,
        origin: torch.Tensor,
        directions: torch.Tensor,
        clear: torch.Tensor,
        tiles: torch.Tensor,
        rows: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return ray, Gaussian, place [m] and alpha, each (H,), of everything that rays meet."""
        torch, pattern = self._torch, self._pattern
        wide, beams = -(-lidar.azimuths // TILE_AZIMUTHS), len(lidar.elevations_deg)
        b = torch.arange(TILE_BEAMS, device=self._device).repeat_interleave(TILE_AZIMUTHS)
        a = torch.arange(TILE_AZIMUTHS, device=self._device).repeat(TILE_BEAMS)
        found = []
        for start in range(0, len(rows), _PAIRS_AT_ONCE):
            tile, row = tiles[start : start + _PAIRS_AT_ONCE], rows[start : start + _PAIRS_AT_ONCE]
            beam = (tile // wide * TILE_BEAMS)[:, None] + b
            azimuth = (tile % wide * TILE_AZIMUTHS)[:, None] + a
            exists = (beam < beams) & (azimuth < lidar.azimuths)
            ray = torch.where(exists, beam * lidar.azimuths + azimuth, torch.zeros_like(beam))
            whiten = scene["whiten"][row]
            u = torch.einsum("pij,prj->pri", whiten, directions[ray])
            v = torch.einsum("pij,pj->pi", whiten, origin - scene["means"][row])[:, None]
            place = -(u * v).sum(-1) / (u * u).sum(-1)
            q = (v + place[..., None] * u).square().sum(-1)
            alpha = (scene["opacities"][row][:, None] * torch.exp(-0.5 * q)).clamp(max=MAX_ALPHA)
            met = exists & clear[ray] & (alpha >= MIN_ALPHA)
            met &= (place >= pattern.min_range) & (place <= pattern.max_range)
            pair, lane = met.nonzero(as_tuple=True)
            found.append((ray[pair, lane], row[pair], place[pair, lane], alpha[pair, lane]))
        if not found:
            none = torch.zeros(0, device=self._device)
            return none.long(), none.long(), none.double(), none.double()
        ray, row, place, alpha = (torch.cat([part[k] for part in found]) for k in range(4))
        return ray, row, place, alpha

    def _first_returns(
        self,
        scene: dict[str, torch.Tensor],
        directions: torch.Tensor,
        ray: torch.Tensor,
        row: torch.Tensor,
        place: torch.Tensor,
        alpha: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return range [m] and light of every ray (R,)."""
        torch, count = self._torch, len(directions)
        order = torch.argsort(place, stable=True)
        order = order[torch.argsort(ray[order], stable=True)]
        ray, row, place, alpha = ray[order], row[order], place[order], alpha[order]
        starts = torch.searchsorted(ray, torch.arange(count + 1, device=self._device))
        passed = torch.cumsum(torch.log1p(-alpha), 0)
        before = torch.cat([passed.new_zeros(1), passed])  # in front of each hit, counted from the first ray
        base = before[starts[:-1]]
        after = passed - base[ray]
        index = torch.arange(len(ray), device=self._device)
        # Exactly at the limit rounding decides, here as on the processor.
        enough = torch.where(
            after <= np.log(1.0 - HIT_OPACITY) + 1e-12, index, torch.full_like(index, len(ray))
        )
        end = index.new_full((count,), len(ray)).scatter_reduce(0, ray, enough, "amin")
        facing = (scene["normals"][row] * directions[ray]).sum(1).abs()
        weight = alpha * torch.exp(before[:-1] - base[ray]) * (index <= end[ray])
        shine = scene["reflectance"][row] * (1.0 - scene["flatness"][row] * (1.0 - facing))
        weights = passed.new_zeros(count).index_add(0, ray, weight)
        light = passed.new_zeros(count).index_add(0, ray, weight * shine)
        hit = end < len(ray)
        ranges = passed.new_full((count,), float("nan"))
        ranges[hit] = place[end[hit]]
        return ranges, torch.where(hit, light / weights, torch.zeros_like(light))


def _import(device: str) -> Any:
    """Return torch, or explain what is missing."""
    try:
        import torch
    except ImportError as error:
        raise RenderBackendError(
            f"the lidar on {device} cannot import torch ({error}): install simengine[gpu] or choose the cpu backend"
        ) from error
    if torch.device(device).type == "cuda" and not torch.cuda.is_available():
        raise RenderBackendError("the lidar found no CUDA device, expected one: choose the cpu backend")
    return torch

"""Rendering on a CUDA device through gsplat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.errors import RenderBackendError
from simengine.render.backend import RenderedRig, RigRequest, check_rig
from simengine.render.distortion import Warp
from simengine.render.gaussians import FlatGaussians
from simengine.render.gsplat_raster import GsplatRaster, View
from simengine.render.lens_plan import LensPlanner
from simengine.render.torch_warp import warp_colors, warp_depth

if TYPE_CHECKING:
    import torch

_FIELDS = ("means", "quats", "scales", "opacities", "sh")
_REMEDY = "install simengine[gpu] on a machine with a CUDA device, or choose the cpu backend"
_MAX_IMAGES = 64
"""Images drawn in one go; more need memory for little speed."""


class GsplatBackend:
    """Draws all cameras of one size, of all scenes asked for together, in one batched call.

    Sets of Gaussians that were seen before stay on the device for as long as the caller keeps them.

    Args:
        device: where to draw.
        kernels: what has gsplat's functions; None takes gsplat itself, which needs a CUDA device.
    """

    name = "gsplat"

    def __init__(self, device: str = "cuda", kernels: Any = None) -> None:
        self._torch, self._kernels = _import(kernels)
        if kernels is None and not self._torch.cuda.is_available():
            raise RenderBackendError(f"the gsplat backend found no CUDA device, expected one: {_REMEDY}")
        self._device = self._torch.device(device)
        self._raster = GsplatRaster(self._torch, self._kernels, self._device)
        self._planner = LensPlanner()
        self._on_device: WeakKeyDictionary[FlatGaussians, dict[str, Any]] = WeakKeyDictionary()
        self._warps: WeakKeyDictionary[Warp, Any] = WeakKeyDictionary()

    def render(
        self,
        gaussians: FlatGaussians | Sequence[FlatGaussians],
        cameras: Sequence[CameraCalibration],
        world_from_cam: np.ndarray,
        want_depth: bool = False,
    ) -> RenderedRig:
        """Return one image per camera in host memory; see `RenderBackend.render`."""
        return self.render_many([RigRequest(gaussians, cameras, world_from_cam, want_depth=want_depth)])[0]

    def render_many(self, requests: Sequence[RigRequest]) -> list[RenderedRig]:
        """Return the images of several rigs; see `RenderBackend.render_many`."""
        with self._torch.no_grad():
            rigs = self._drawn(requests)
        to_host = [
            tensor
            for request, rig in zip(requests, rigs, strict=True)
            if not request.on_device
            for tensor in (*rig.rgb, *(rig.depth or ()))
        ]
        arrays = iter(self._to_host(to_host))
        return [
            rig
            if request.on_device
            else replace(
                rig,
                rgb=tuple(next(arrays) for _ in rig.rgb),
                depth=None if rig.depth is None else tuple(next(arrays) for _ in rig.depth),
            )
            for request, rig in zip(requests, rigs, strict=True)
        ]

    def _drawn(self, requests: Sequence[RigRequest]) -> list[RenderedRig]:
        """Return the images of all requests as tensors."""
        views: list[View] = []
        wants: list[bool] = []
        for request in requests:
            check_rig(request)
            parts = tuple(self._remembered(part) for part in request.parts)
            plan = self._planner.plan(request.cameras, request.lens, request.is_rolling)
            for k, drawn in enumerate(plan):
                end = request.end_pose(k) if drawn.native else None
                views.append(View(parts, drawn, request.world_from_cam[k], end))
                wants.append(request.want_depth)
        images = iter(self._images(views, wants))
        rigs = []
        for request in requests:
            mine = [next(images) for _ in request.cameras]
            depth = tuple(depth for _, depth in mine) if request.want_depth else None
            rigs.append(RenderedRig(tuple(rgb for rgb, _ in mine), depth))
        return rigs

    def _images(self, views: Sequence[View], wants: Sequence[bool]) -> list[tuple[Any, Any]]:
        """Return image (H, W, 3) uint8 and depth (H, W) or None of every view."""
        images: list[Any] = [None] * len(views)
        by_size: dict[tuple[int, int], list[int]] = {}
        for k, view in enumerate(views):
            size = view.drawn.camera.width_px, view.drawn.camera.height_px
            by_size.setdefault(size, []).append(k)
        for (width, height), members in by_size.items():
            for at in range(0, len(members), _MAX_IMAGES):
                batch = members[at : at + _MAX_IMAGES]
                want_depth = any(wants[k] for k in batch)
                drawn = self._raster.draw([views[k] for k in batch], width, height, want_depth)
                whole = None
                if not any(views[k].drawn.warp for k in batch):
                    whole = self._bytes(drawn[..., :3])
                for row, k in enumerate(batch):
                    warp = views[k].drawn.warp
                    colors = None if warp is None else self._warped(drawn[row, ..., :3], warp)
                    rgb = (
                        whole[row]
                        if whole is not None
                        else self._bytes(drawn[row, ..., :3] if colors is None else colors)
                    )
                    images[k] = rgb, self._depth(drawn[row, ..., 3], warp) if wants[k] else None
        return images

    def _bytes(self, colors: torch.Tensor) -> torch.Tensor:
        return colors.clamp(0.0, 1.0).mul_(255.0).add_(0.5).to(self._torch.uint8)

    def _warped(self, colors: torch.Tensor, warp: Warp) -> torch.Tensor:
        return warp_colors(self._torch, colors.clamp(max=1.0), self._places(warp), warp.supersample)

    def _depth(self, depth: torch.Tensor, warp: Warp | None) -> torch.Tensor:
        return depth if warp is None else warp_depth(self._torch, depth, self._places(warp))

    def _places(self, warp: Warp) -> torch.Tensor:
        """Return the places that a warp looks at, uploaded at its first use."""
        if warp not in self._warps:
            self._warps[warp] = self._raster.upload(warp.source_px)
        return self._warps[warp]

    def _remembered(self, part: FlatGaussians) -> dict[str, Any]:
        """Return the tensors of one set, uploaded at its first use."""
        if part not in self._on_device:
            self._on_device[part] = {name: self._raster.upload(getattr(part, name)) for name in _FIELDS}
        return self._on_device[part]

    def _to_host(self, tensors: list[torch.Tensor]) -> list[np.ndarray]:
        """Return tensors as arrays, copied together through pinned memory."""
        torch = self._torch
        if self._device.type != "cuda":
            return [tensor.numpy() for tensor in tensors]
        hosts = [torch.empty(t.shape, dtype=t.dtype, pin_memory=True) for t in tensors]
        for host, tensor in zip(hosts, tensors, strict=True):
            host.copy_(tensor, non_blocking=True)
        torch.cuda.synchronize(self._device)
        return [host.numpy() for host in hosts]


def _import(kernels: Any) -> tuple[Any, Any]:
    """Return torch and gsplat, or explain what is missing."""
    try:
        import torch

        if kernels is None:
            import gsplat as kernels
    except ImportError as error:
        raise RenderBackendError(
            f"the gsplat backend cannot import {error.name or error}, expected torch with CUDA and gsplat: {_REMEDY}"
        ) from error
    return torch, kernels

"""Rendering on a CUDA device through gsplat; the only module of the simulator that imports torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.errors import RenderBackendError
from simengine.geometry.se3 import invert
from simengine.render.backend import (
    EPS_2D,
    FAR_PLANE,
    NEAR_PLANE,
    TILE_PX,
    RenderedRig,
    as_parts,
    check_request,
)
from simengine.render.gaussians import FlatGaussians

if TYPE_CHECKING:
    import torch

_FIELDS = ("means", "quats", "scales", "opacities", "sh")
_REMEDY = "install simengine[gpu] on a machine with a CUDA device, or choose the cpu backend"


class GsplatBackend:
    """Draws all cameras of one size in one batched call.

    Sets of Gaussians that were seen before stay on the device for as long as the caller keeps them.
    """

    name = "gsplat"

    def __init__(self, device: str = "cuda") -> None:
        self._torch, self._rasterization = _import()
        if not self._torch.cuda.is_available():
            raise RenderBackendError(f"the gsplat backend found no CUDA device, expected one: {_REMEDY}")
        self._device = self._torch.device(device)
        self._on_device: WeakKeyDictionary[FlatGaussians, dict[str, Any]] = WeakKeyDictionary()

    def render(
        self,
        gaussians: FlatGaussians | Sequence[FlatGaussians],
        cameras: Sequence[CameraCalibration],
        world_from_cam: np.ndarray,
        want_depth: bool = False,
    ) -> RenderedRig:
        """Return one image per camera in host memory; see `RenderBackend.render`."""
        rgb, depth = self.render_tensors(gaussians, cameras, world_from_cam, want_depth)
        images = self._to_host(rgb)
        return RenderedRig(images, self._to_host(depth) if depth is not None else None)

    def render_tensors(
        self,
        gaussians: FlatGaussians | Sequence[FlatGaussians],
        cameras: Sequence[CameraCalibration],
        world_from_cam: np.ndarray,
        want_depth: bool = False,
    ) -> tuple[list[torch.Tensor], list[torch.Tensor] | None]:
        """Return images (H, W, 3) uint8 and depths (H, W) float32 as tensors that stay on the device."""
        check_request(cameras, world_from_cam)
        torch = self._torch
        scene = self._joined(as_parts(gaussians))
        rgb: list[Any] = [None] * len(cameras)
        depth: list[Any] = [None] * len(cameras)
        by_size: dict[tuple[int, int], list[int]] = {}
        for k, camera in enumerate(cameras):
            by_size.setdefault((camera.width_px, camera.height_px), []).append(k)
        with torch.inference_mode():
            for (width, height), members in by_size.items():
                drawn = self._draw(
                    scene, [cameras[k] for k in members], world_from_cam[members], width, height, want_depth
                )
                bytes_ = drawn[..., :3].clamp_(0.0, 1.0).mul(255.0).add_(0.5).to(torch.uint8)
                for row, k in enumerate(members):
                    rgb[k] = bytes_[row]
                    depth[k] = drawn[row, ..., 3] if want_depth else None
        return rgb, depth if want_depth else None

    def _draw(
        self,
        scene: dict[str, Any],
        cameras: Sequence[CameraCalibration],
        world_from_cam: np.ndarray,
        width: int,
        height: int,
        want_depth: bool,
    ) -> torch.Tensor:
        """Return colours (C, H, W, 3), or with depth (C, H, W, 4), of cameras of one size."""
        torch = self._torch
        if not len(scene["means"]):
            return torch.zeros((len(cameras), height, width, 4 if want_depth else 3), device=self._device)
        drawn, _, _ = self._rasterization(
            means=scene["means"],
            quats=scene["quats"],
            scales=scene["scales"],
            opacities=scene["opacities"],
            colors=scene["sh"],
            viewmats=self._upload(invert(world_from_cam)),
            Ks=self._upload(np.stack([camera.intrinsic for camera in cameras])),
            width=width,
            height=height,
            near_plane=NEAR_PLANE,
            far_plane=FAR_PLANE,
            eps2d=EPS_2D,
            sh_degree=int(np.sqrt(scene["sh"].shape[1])) - 1,
            packed=True,
            tile_size=TILE_PX,
            render_mode="RGB+ED" if want_depth else "RGB",
            rasterize_mode="antialiased",
        )
        return drawn

    def _upload(self, array: np.ndarray) -> torch.Tensor:
        return self._torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(self._device)

    def _joined(self, parts: Sequence[FlatGaussians]) -> dict[str, Any]:
        """Return all parts as one set of tensors; colours are zero-padded to the highest degree."""
        torch = self._torch
        tensors = [self._remembered(part) for part in parts]
        if len(tensors) == 1:
            return tensors[0]
        bands = max((t["sh"].shape[1] for t in tensors), default=1)
        padded = [
            {**t, "sh": torch.nn.functional.pad(t["sh"], (0, 0, 0, bands - t["sh"].shape[1]))}
            for t in tensors
        ]
        return {name: torch.cat([t[name] for t in padded]) for name in _FIELDS}

    def _remembered(self, part: FlatGaussians) -> dict[str, Any]:
        """Return the tensors of one set, uploaded at its first use."""
        if part not in self._on_device:
            self._on_device[part] = {name: self._upload(getattr(part, name)) for name in _FIELDS}
        return self._on_device[part]

    def _to_host(self, tensors: list[torch.Tensor]) -> tuple[np.ndarray, ...]:
        """Return tensors as arrays, copied together through pinned memory."""
        torch = self._torch
        hosts = [torch.empty(t.shape, dtype=t.dtype, pin_memory=True) for t in tensors]
        for host, tensor in zip(hosts, tensors, strict=True):
            host.copy_(tensor, non_blocking=True)
        torch.cuda.synchronize(self._device)
        return tuple(host.numpy() for host in hosts)


def _import() -> tuple[Any, Any]:
    """Return torch and gsplat's `rasterization`, or explain what is missing."""
    try:
        import torch
        from gsplat import rasterization
    except ImportError as error:
        raise RenderBackendError(
            f"the gsplat backend cannot import {error.name or error}, expected torch with CUDA and gsplat: {_REMEDY}"
        ) from error
    return torch, rasterization

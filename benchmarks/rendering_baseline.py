"""Rendering the way the published simulator does, as a yardstick: with gsplat, camera by camera.

Colours of all Gaussians are evaluated for every node and camera, nothing is packed, images are drawn as pinholes of an
enlarged field of view at the output size, cut to bytes, and bent by a bilinear lookup on the processor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.geometry.se3 import invert
from simengine.render.distortion import make_warp, remap
from simengine.render.gaussians import FlatGaussians


def published_way(
    nodes: Sequence[FlatGaussians], rig: Sequence[CameraCalibration], poses: np.ndarray
) -> Callable[[], list[np.ndarray]]:
    """Return what draws `nodes` from `poses` (C, 4, 4) through the lenses of `rig` into host memory."""
    import torch
    from gsplat import rasterization, spherical_harmonics

    def upload(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, np.float32)).cuda()

    fields = ("means", "quats", "scales", "opacities", "sh")
    on_device = [{name: upload(getattr(node, name)) for name in fields} for node in nodes]
    width, height = rig[0].width_px, rig[0].height_px
    views, centers = upload(invert(poses)), upload(poses[:, :3, 3])
    warps = [make_warp(camera, 1) for camera in rig]
    # The enlarged field of view is squeezed into the output size.
    scale = [np.diag([width / w.pinhole.width_px, height / w.pinhole.height_px, 1.0]) for w in warps]
    intrinsics = upload(np.stack([s @ w.pinhole.intrinsic for s, w in zip(scale, warps, strict=True)]))
    places = [(w.source_px * np.diag(s)[:2]).astype(np.float32) for s, w in zip(scale, warps, strict=True)]

    def draw() -> list[np.ndarray]:
        images = []
        with torch.no_grad():
            for c in range(len(rig)):
                colors = []
                for node in on_device:
                    degree = int(np.sqrt(node["sh"].shape[1])) - 1
                    shaded = spherical_harmonics(degree, node["means"] - centers[c], node["sh"])
                    colors.append((shaded + 0.5).clamp(0.0, 1.0))
                joined = {name: torch.cat([node[name] for node in on_device]) for name in fields[:4]}
                drawn, _, _ = rasterization(
                    **joined, colors=torch.cat(colors)[None], viewmats=views[c : c + 1], Ks=intrinsics[c : c + 1],
                    width=width, height=height, packed=False, rasterize_mode="antialiased",
                )  # fmt: skip
                flat = (drawn[0].clamp(0.0, 1.0) * 255.0).to(torch.uint8).cpu().numpy()
                images.append(remap(flat, places[c], 1))
        return images

    return draw

"""The kernel of lenses against the same in plain torch, on a GPU or in Triton's interpreter (TRITON_INTERPRET=1)."""

import numpy as np
import pytest

from render_factories import make_random_gaussians
from simengine.render.cpu_lens import lens_view
from simengine.render.rig import nuplan_rig
from simengine.render.shutter import shutter_poses
from simengine.render.torch_lens import LensProjection, Seen, has_kernel

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.gpu


def views_of(rig, rolling, device):
    poses = np.stack([camera.ego_from_cam for camera in rig])
    ends = [None] * len(rig)
    if rolling:
        poses, ends = shutter_poses(rig, np.array([0.5, -0.2, 0.1]), np.array([12.0, 0.3]), 0.4, 0.03)
    rows = [lens_view(camera, pose, end) for camera, pose, end in zip(rig, poses, ends, strict=True)]
    return torch.tensor(np.stack(rows), dtype=torch.float32, device=device)


def tensors(scene, device):
    names = ("means", "quats", "scales", "opacities")
    return {name: torch.from_numpy(getattr(scene, name)).to(device) for name in names}


@pytest.mark.parametrize("distortion", [True, False])
@pytest.mark.parametrize("rolling", [False, True])
def test_the_kernel_sees_what_plain_torch_sees(distortion, rolling):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rig = nuplan_rig(480, 270, distortion=distortion)
    views = views_of(rig, rolling, device)
    if not has_kernel(views):
        pytest.skip("no Triton here, or neither a GPU nor its interpreter")
    project = LensProjection(torch, views, 480, 270, rolling)
    scene = tensors(make_random_gaussians(3_000, 0, seed=3, depth=30.0), device)
    fused, plain = project.fused(scene), project.plain(scene)
    keys = [(seen.camera * 3_000 + seen.row).tolist() for seen in (fused, plain)]
    assert keys[0] == sorted(keys[0]) and keys[1] == sorted(keys[1])
    both = sorted(set(keys[0]) & set(keys[1]))
    assert len(both) > 1_000
    # Rounding decides about Gaussians that just touch a border or are just bright enough.
    assert len(set(keys[0]) ^ set(keys[1])) <= 0.002 * len(both)
    rows = [torch.tensor([k.index(key) for key in both], device=device) for k in keys]
    for field in Seen.__dataclass_fields__:
        a, b = (getattr(seen, field)[row].double() for seen, row in zip((fused, plain), rows, strict=True))
        # Shapes of small Gaussians, differences of large single-precision numbers, are noisy in both.
        rtol = 2e-2 if field in ("conic", "opacity") else 2e-3
        close = torch.isclose(a, b, rtol=rtol, atol=2e-2 if field == "center_px" else 2e-4)
        if field == "radius_px":
            close = (a - b).abs() <= 1.0
        assert close.double().mean() > 0.99, field


def test_nothing_in_sight():
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rig = nuplan_rig(96, 54, distortion=True)
    views = views_of(rig, False, device)
    if not has_kernel(views):
        pytest.skip("no Triton here, or neither a GPU nor its interpreter")
    scene = tensors(make_random_gaussians(50, 0, seed=3, depth=30.0), device)
    scene["opacities"] = torch.zeros_like(scene["opacities"])
    seen = LensProjection(torch, views, 96, 54, False).fused(scene)
    assert len(seen.row) == 0 and seen.conic.shape == (0, 3)

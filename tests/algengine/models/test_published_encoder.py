import math

import numpy as np
import pytest
import torch

from algengine.datasets.frames import camera_inputs
from algengine.models.bev.can_bus import can_bus_from_motion
from algengine.models.bev.projection import CameraRig
from oracles.published_encoder import HEIGHTS, encode
from published_factories import HALF, SMALL, build_small, double, heading, small_state
from simengine.datatypes.vehicle import AXLE_HEIGHT
from simengine.render.rig import nuplan_rig

pytestmark = pytest.mark.mm
SIZE_PX = (64, 64)
SHAPES = ((8, 8), (4, 4), (2, 2), (1, 1))


def make_rig(batch: int, distorted: bool) -> tuple[CameraRig, torch.Tensor]:
    """Return two cameras per sample, each sample's rig turned a little more, and their lidar2img (B, N, 4, 4)."""
    cameras = [camera for camera in nuplan_rig(64, 36) if camera.name in ("CAM_F0", "CAM_B0")]
    rows = [camera_inputs(cameras, (64, 36), np.array([0.0, 0.3 * b, 0.4 * b])) for b in range(batch)]
    stacked = {key: torch.from_numpy(np.stack([row[key] for row in rows])) for key in rows[0]}
    if not distorted:
        stacked["distortion"] = torch.zeros_like(stacked["distortion"])
    rig = CameraRig(**stacked, image_size=(64, 36) if distorted else SIZE_PX, padded_size=SIZE_PX)
    intrinsic = torch.eye(4, dtype=torch.float64).repeat(*rig.intrinsic.shape[:2], 1, 1)
    intrinsic[..., :3, :3] = rig.intrinsic.double()
    ego_from_lidar = torch.eye(4, dtype=torch.float64)
    ego_from_lidar[2, 3] = AXLE_HEIGHT  # theirs lies at the rear axle, ours below it on the road
    return rig, intrinsic @ rig.cam_from_ego.double() @ ego_from_lidar


def make_problem(batch: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Return features, a previous map, and the same motion as ours and as published."""
    generator = torch.Generator().manual_seed(seed)
    motion = torch.tensor([[3.0, 0.4, 0.31], [-1.0, 2.0, -0.17]])[:batch]
    vector = torch.randn(batch, 18, generator=generator, dtype=torch.float64)
    rotation = []
    for b, (x, y, yaw) in enumerate(motion.double().tolist()):
        before = 0.7 + b
        vector[b, :3] = torch.from_numpy(heading(before) @ np.array([x, y, 0.0]))
        vector[b, 16], vector[b, 17] = yaw, math.degrees(yaw)
        rotation.append(torch.from_numpy(heading(before + yaw)))
    return {
        "features": [
            torch.randn(batch, SMALL.cameras, SMALL.dims, *shape, generator=generator) for shape in SHAPES
        ],
        "previous": torch.randn(batch, SMALL.grid**2, SMALL.dims, generator=generator),
        "motion": motion,
        "can_bus": vector,
        "rotation": torch.stack(rotation),
    }


@pytest.mark.parametrize("published", [True, False])
@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("remembers", [True, False])
def test_encoder_equals_the_loops(published, batch, remembers):
    state = small_state()
    # Away from the start-up values, where all offsets are whole cells.
    model = build_small(compat=True)
    model.load_state_dict(state)
    encoder = build_small(compat=published).bev_encoder
    encoder.load_state_dict(model.bev_encoder.state_dict())
    rig, lidar2img = make_rig(batch, distorted=published)
    problem = make_problem(batch)
    previous = problem["previous"] if remembers else None
    if not remembers:
        problem["can_bus"][:, :3] = 0.0  # as published at the start of a clip
    expected = encode(
        double(state),
        [f.double() for f in problem["features"]],
        lidar2img,
        SIZE_PX,
        HALF,
        problem["can_bus"],
        problem["rotation"],
        None if previous is None else previous.double(),
        published,
    )
    with torch.no_grad():
        as_map = previous
        if previous is not None:
            as_map = previous.transpose(1, 2).reshape(batch, SMALL.dims, SMALL.grid, SMALL.grid)
        found = encoder(
            problem["features"], encoder.view(rig), as_map, problem["motion"], problem["can_bus"].float()
        )
    assert torch.allclose(found.flatten(2).transpose(1, 2).double(), expected, atol=2e-4)


def test_heights_of_the_config_are_the_published_ones():
    heights = build_small().bev_encoder.heights.tolist()
    assert heights == pytest.approx([height + AXLE_HEIGHT for height in HEIGHTS], abs=1e-3)


def test_published_arithmetic_leaks_over_the_batch_and_ours_does_not():
    problem = make_problem(2)
    rig, _ = make_rig(2, distorted=True)
    maps = problem["previous"].transpose(1, 2).reshape(2, SMALL.dims, SMALL.grid, SMALL.grid)
    changed = maps.clone()
    changed[0] += 1.0
    for published in (True, False):
        encoder = build_small(compat=published).bev_encoder
        torch.nn.init.normal_(encoder.layers[0].temporal.offsets.weight)
        shared = (problem["motion"], problem["can_bus"].float())
        with torch.no_grad():
            before = encoder(problem["features"], encoder.view(rig), maps, *shared)[1]
            after = encoder(problem["features"], encoder.view(rig), changed, *shared)[1]
            # Control features of sample 1 come from sample 0's queries, not from its map: turn sample 0's instead.
            other = problem["can_bus"].float().clone()
            other[0] += 1.0
            turned = encoder(problem["features"], encoder.view(rig), maps, problem["motion"], other)[1]
        assert torch.allclose(before, after, atol=1e-5)
        assert torch.allclose(before, turned, atol=1e-5) != published


def test_can_bus_by_hand():
    vector = can_bus_from_motion(
        torch.tensor([[2.0, 0.5, 0.2 + 2 * math.pi]]), torch.tensor([[4.0, 0.1]]), torch.tensor([[0.3, -0.2]])
    )[0]
    expected = [
        2.0,
        0.5,
        0.0,
        math.cos(0.1),
        0.0,
        0.0,
        math.sin(0.1),
        0.3,
        -0.2,
        0.0,
        4.0,
        0.1,
        0.0,
        0.0,
        0.0,
        0.4,
    ]
    assert vector.tolist() == pytest.approx([*expected, 0.2, math.degrees(0.2)], abs=1e-5)
    still = can_bus_from_motion(None, torch.zeros(1, 2), torch.zeros(1, 2))[0]
    assert still.tolist() == [0.0] * 3 + [1.0] + [0.0] * 14


def test_can_bus_along_the_axes_of_the_map():
    motion = torch.tensor([[2.0, 0.5, 0.3]])
    still = torch.zeros(1, 2)
    vector = can_bus_from_motion(motion, still, still, heading=torch.tensor([1.0]))[0]
    expected = heading(0.7) @ np.array([2.0, 0.5, 0.0])  # the frame before was turned by 1.0 - 0.3
    assert vector[:3].tolist() == pytest.approx(expected.tolist(), abs=1e-5)

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from render_factories import make_street, states_at
from simengine.datatypes.agents import AgentStates, AgentType
from simengine.errors import RenderBackendError
from simengine.geometry.se3 import apply, invert, transform_from_pose
from simengine.render.cpu_backend import CpuBackend
from simengine.render.renderer import SceneRenderer
from simengine.render.rig import nuplan_rig

RIG = nuplan_rig(320, 180)
FRAME = 15


def nobody() -> AgentStates:
    return AgentStates((), np.zeros(0, np.int8), np.zeros((0, 3)), np.zeros((0, 2)), np.zeros((0, 3)))


def only(states: AgentStates, row: int) -> AgentStates:
    rows = slice(row, row + 1)
    return AgentStates(
        (states.ids[row],), states.types[rows], states.pose[rows], states.velocity[rows], states.size[rows]
    )


@pytest.fixture(scope="module")
def street():
    scenario = make_street()
    renderer = SceneRenderer(CpuBackend(), cache_size=2)
    renderer.load(scenario)
    return scenario, renderer


def box_px(camera, ego_pose, pose, size) -> np.ndarray:
    """Projected corners (8, 2) of a box on the ground."""
    signs = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (0.0, 1.0)])
    world = apply(transform_from_pose(pose), signs * size)
    local = apply(invert(transform_from_pose(ego_pose) @ camera.ego_from_cam), world)
    px = local @ camera.intrinsic.T
    return px[:, :2] / px[:, 2:]


def test_every_camera_sees_a_street(street):
    scenario, renderer = street
    images = renderer.render(scenario.ego.pose[FRAME], states_at(scenario, FRAME), RIG, FRAME)
    assert list(images) == [camera.name for camera in RIG]
    for image in images.values():
        assert image.shape == (180, 320, 3) and image.dtype == np.uint8
        assert image.mean() > 50 and image.std() > 15 and (image.max(axis=2) == 0).mean() < 0.01
    front = images["CAM_F0"].astype(int)
    sky, road = front[:25].mean((0, 1)), front[150:, 130:190].mean((0, 1))
    assert sky[2] > sky[0] + 15 and np.ptp(road) < 15 and road.max() < 110


@pytest.mark.parametrize("row", range(4))
def test_agents_appear_where_their_boxes_are(street, row):
    scenario, renderer = street
    ego, camera = scenario.ego.pose[FRAME], RIG[0]
    agent = only(states_at(scenario, FRAME), row)
    empty = renderer.draw(ego, nobody(), [camera], FRAME, want_depth=True)
    drawn = renderer.draw(ego, agent, [camera], FRAME, want_depth=True)
    changed = np.abs(drawn.rgb[0].astype(int) - empty.rgb[0]).max(axis=2) > 25
    corners = box_px(camera, ego, agent.pose[0], agent.size[0])
    low, high = corners.min(axis=0), corners.max(axis=0)
    rows, columns = np.nonzero(changed)
    outside = (columns < low[0] - 4) | (columns > high[0] + 4) | (rows < low[1] - 4) | (rows > high[1] + 4)
    assert not outside.any()
    assert changed.sum() > 0.3 * np.prod(high - low)
    # The middle of the box is as far away as its surface, but for a little light from behind.
    x, y = ((low + high) / 2).astype(int)
    distance = agent.pose[0, 0] - ego[0] - camera.ego_from_cam[0, 3]
    near, far = distance - 0.5 * agent.size[0, 0] - 0.1, distance + 0.5 * agent.size[0, 0]
    assert near < drawn.depth[0][y, x] < far + 0.1 * empty.depth[0][y, x]
    assert drawn.depth[0][y, x] < 0.6 * empty.depth[0][y, x]


def test_absent_agents_are_not_drawn(street):
    scenario, renderer = street
    everyone = states_at(scenario, FRAME)
    ego = scenario.ego.pose[FRAME]
    without = renderer.render(ego, only(everyone, 0), RIG[:1], FRAME)["CAM_F0"]
    all_of_them = renderer.render(ego, everyone, RIG[:1], FRAME)["CAM_F0"]
    assert (without != all_of_them).any()
    np.testing.assert_array_equal(renderer.render(ego, only(everyone, 0), RIG[:1], FRAME)["CAM_F0"], without)


def test_agents_unknown_to_the_scenario_are_drawn_too(street):
    scenario, renderer = street
    stranger = AgentStates(
        ("stranger",),
        np.array([AgentType.VEHICLE], np.int8),
        np.array([[32.0, 0.0, 0.0]]),
        np.zeros((1, 2)),
        np.array([[4.5, 1.9, 1.6]]),
    )
    ego = scenario.ego.pose[FRAME]
    images = [
        renderer.render(ego, agents, RIG[:1], FRAME)["CAM_F0"].astype(int) for agents in (nobody(), stranger)
    ]
    assert (np.abs(images[0] - images[1]).max(axis=2) > 40).sum() > 300


def test_lights_show_the_state_of_the_frame(street):
    scenario, renderer = street
    ego = scenario.ego.pose[FRAME]
    red, green = (renderer.render(ego, nobody(), RIG[:1], frame)["CAM_F0"].astype(int) for frame in (29, 30))
    changed = np.abs(red - green).max(axis=2) > 60
    assert changed.sum() >= 4
    upper = changed & (red[..., 0] > green[..., 0] + 60)
    lower = changed & (green[..., 1] > red[..., 1] + 60)
    assert np.nonzero(upper)[0].mean() < np.nonzero(lower)[0].mean()
    last = renderer.render(ego, nobody(), RIG[:1], 10_000)["CAM_F0"]
    np.testing.assert_array_equal(last, green)


def test_same_scenario_renders_the_same_bits():
    images = []
    for _ in range(2):
        renderer = SceneRenderer(CpuBackend())
        scenario = make_street()
        renderer.load(scenario)
        images.append(renderer.render(scenario.ego.pose[0], states_at(scenario, 0), RIG[:2], 0))
    for name, image in images[0].items():
        np.testing.assert_array_equal(image, images[1][name])


def test_distortion_bends_the_image_and_keeps_its_size(street):
    scenario, renderer = street
    bent = nuplan_rig(320, 180, distortion=True)[:1]
    args = (scenario.ego.pose[FRAME], states_at(scenario, FRAME))
    image = renderer.render(*args, bent, FRAME)["CAM_F0"]
    straight = renderer.render(*args, RIG[:1], FRAME)["CAM_F0"]
    assert image.shape == straight.shape and image.min(axis=2).max() > 0
    center = (slice(80, 105), slice(145, 175))
    assert np.abs(image[center].astype(int) - straight[center]).mean() < 6
    assert np.abs(image.astype(int) - straight).mean() > 6


def test_cache_is_bounded_and_tells_variants_apart():
    made = []

    def open_scene(scenario):
        made.append(scenario.token)
        from simengine.render.scene import SplatScene

        return SplatScene({})

    renderer = SceneRenderer(CpuBackend(), cache_size=2, open_scene=open_scene)
    a, b, c = (make_street(token=token) for token in "abc")
    for scenario in (a, b, a):
        renderer.load(scenario)
    assert made == ["a", "b"]
    renderer.load(c)
    renderer.load(b)
    assert made == ["a", "b", "c", "b"]
    renderer.load(replace(b, agents=b.agents.select(np.array([True, False, False, False]))))
    assert made[-1] == "b" and len(made) == 5


def test_rendering_before_loading_is_refused():
    with pytest.raises(RenderBackendError, match="load"):
        SceneRenderer(CpuBackend()).render(np.zeros(3), nobody(), RIG, 0)


def test_lens_modes_show_the_same_street():
    scenario, bent = make_street(), nuplan_rig(240, 135, distortion=True)[:2]
    images = {}
    for lens in ("auto", "native", "warp", "ignore"):
        renderer = SceneRenderer(CpuBackend(), lens=lens)
        renderer.load(scenario)
        images[lens] = renderer.render(scenario.ego.pose[FRAME], nobody(), bent, FRAME)
    for name, native in images["native"].items():
        np.testing.assert_array_equal(native, images["auto"][name])
        close, far = (
            np.mean((native.astype(float) - images[lens][name]) ** 2) for lens in ("warp", "ignore")
        )
        assert 10 * np.log10(255**2 / close) > 33.0 and far > 10 * close


def test_rolling_shutter_follows_the_motion_of_the_ego():
    scenario, rig = make_street(), nuplan_rig(240, 135)[1:2]
    pose, fast = scenario.ego.pose[FRAME], np.array([20.0, 0.0, 0.0])
    still, rolling = SceneRenderer(CpuBackend()), SceneRenderer(CpuBackend(), rolling_shutter=0.05)
    for renderer in (still, rolling):
        renderer.load(scenario)
    whole = still.render(pose, nobody(), rig, FRAME, fast)["CAM_L0"]
    parked = rolling.render(pose, nobody(), rig, FRAME)["CAM_L0"]
    driven = rolling.render(pose, nobody(), rig, FRAME, fast)["CAM_L0"]
    np.testing.assert_array_equal(parked, whole)
    # Rows in the middle are seen where the ego is; the first and last ones half a metre behind and ahead.
    behind, ahead = (still.render(pose + [dx, 0, 0], nobody(), rig, FRAME)["CAM_L0"] for dx in (-0.5, 0.5))

    def error(row: int, other: np.ndarray) -> float:
        rows = slice(row - 3, row + 3)
        return float(np.mean((driven[rows].astype(float) - other[rows]) ** 2))

    for row, expected in ((4, behind), (67, whole), (130, ahead)):
        assert error(row, expected) == min(error(row, other) for other in (behind, whole, ahead))


def test_one_instant_is_composed_once(street, monkeypatch):
    scenario, renderer = street[0], SceneRenderer(CpuBackend(1))
    renderer.load(scenario)
    stage, calls = renderer._current.stage, []
    compose = stage.moving
    monkeypatch.setattr(stage, "moving", lambda *args: calls.append(args) or compose(*args))
    ego, everyone = scenario.ego.pose[FRAME], states_at(scenario, FRAME)
    first = renderer.posed(ego, everyone, FRAME).moving
    assert renderer.posed(ego.copy(), states_at(scenario, FRAME), FRAME).moving is first
    turned = replace(everyone, pose=everyone.pose + [0.0, 0.0, 1e-9])
    others = [
        renderer.posed(ego, turned, FRAME),
        renderer.posed(ego + 1e-9, everyone, FRAME),
        renderer.posed(ego, everyone, FRAME + 1),
        renderer.posed(ego, only(everyone, 0), FRAME),
        renderer.posed(ego, everyone, FRAME),
    ]
    assert len(calls) == 6 and all(other.moving is not first for other in others)
    np.testing.assert_array_equal(others[-1].moving.means, first.means)

"""The state observation: its layout, hand-computed entries, and what it must not depend on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from factories import make_scenario, make_tracks
from gym_factories import make_env
from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.lights import LightState, TrafficLights
from simengine.gym.state_vector import AGENT_WIDTH, LIGHT_WIDTH, NUM_AGENTS, blocks

DOCS = Path(__file__).parents[3] / "docs" / "gym.md"


def parts_of(env, **reset) -> dict[str, np.ndarray]:
    """Return the blocks of the first observation."""
    vector, _ = env.reset(**reset)
    return cut(vector)


def cut(vector: np.ndarray) -> dict[str, np.ndarray]:
    sizes = blocks(4)
    assert vector.shape == (sum(sizes.values()),)
    assert vector.dtype == np.float32
    ends = np.cumsum(list(sizes.values()))
    return {name: vector[end - size : end] for (name, size), end in zip(sizes.items(), ends, strict=True)}


def some_agents(frames: int = 66) -> AgentTracks:
    """Return a car 20 m ahead, a pedestrian 5 m to the left of it, and a cone far away; ego at (12, 0)."""
    at = np.zeros((3, frames, 3))
    at[0, :, :2], at[1, :, :2], at[2, :, :2] = (32.0 + 1.461, 0.0), (32.0 + 1.461, 5.0), (190.0, 0.0)
    at[1, :, 2] = -np.pi / 2
    tracks = make_tracks(at)
    velocity = tracks.velocity.copy()
    velocity[1] = [0.0, -1.5]
    types = np.array([AgentType.VEHICLE, AgentType.PEDESTRIAN, AgentType.TRAFFIC_CONE], np.int8)
    return replace(tracks, velocity=velocity, types=types)


def test_hand_computed_entries(tmp_path):
    parts = parts_of(make_env(tmp_path, make_scenario(agents=some_agents())))
    # 8 m/s of 20, on the line, speed limit 15 of 20, the whole horizon left.
    np.testing.assert_allclose(parts["ego"], [0.4, 0, 0, 0, 0, 0, 1, 0.75, 1], atol=1e-6)
    np.testing.assert_allclose(
        parts["history"], np.array([[-12, 0, 0], [-8, 0, 0], [-4, 0, 0]]).ravel() / 20, atol=1e-6
    )
    assert parts["command"].tolist() == [0, 1, 0, 0]
    np.testing.assert_allclose(
        parts["route"].reshape(-1, 4)[:3], [[0.04, 0, 1, 0], [0.08, 0, 1, 0], [0.14, 0, 1, 0]], atol=1e-6
    )
    agents = parts["agents"].reshape(NUM_AGENTS, AGENT_WIDTH)
    np.testing.assert_allclose(agents[0], [1, 0.4, 0, 1, 0, -0.4, 0, 4.6 / 5, 1.9 / 5, 1, 0], atol=1e-6)
    np.testing.assert_allclose(
        agents[1], [1, 0.4, 0.1, 0, -1, -0.4, -0.075, 4.6 / 5, 1.9 / 5, 0, 1], atol=1e-6
    )
    assert not agents[2:].any()  # the cone is too far
    assert not parts["lights"].any()


def test_lights_of_the_route_ahead(tmp_path):
    lights = TrafficLights(
        ("lane_0", "lane_1", "elsewhere"),
        np.array([[LightState.RED] * 66, [LightState.GREEN] * 66, [LightState.RED] * 66], np.int8),
        np.array([[52.0, 0.0], [7.0, 0.0], [30.0, 0.0]]),
    )
    parts = parts_of(make_env(tmp_path, make_scenario(lights=lights)))
    rows = parts["lights"].reshape(-1, LIGHT_WIDTH)
    # The first is 40 m ahead of the ego at x = 12; the second lies behind, the third is not on the route.
    np.testing.assert_allclose(rows[0], [1, 0.8, 0, 0, 0, 1], atol=1e-6)
    assert not rows[1].any()


def test_time_runs_out_and_the_ego_is_seen_to_move(tmp_path):
    env = make_env(tmp_path, make_scenario(agents=some_agents()), terminate_on_violation=False)
    env.reset()
    left = [cut(env.step(np.array([1.0, 0.3]))[0])["ego"] for _ in range(8)]
    np.testing.assert_allclose([row[-1] for row in left], 1 - np.arange(1, 9) / 8, atol=1e-6)
    assert left[0][0] > 0.4  # faster
    assert left[0][1] > 0  # accelerating
    assert left[0][3] > 0  # wheels to the left


def moved(scenario, shift: np.ndarray, turn: float):
    """Return the scenario without a map, rotated and shifted in the world."""
    c, s = np.cos(turn), np.sin(turn)
    rotation = np.array([[c, s], [-s, c]])

    def place(pose):
        return np.concatenate([pose[..., :2] @ rotation + shift, pose[..., 2:] + turn], axis=-1)

    agents = replace(
        scenario.agents, pose=place(scenario.agents.pose), velocity=scenario.agents.velocity @ rotation
    )
    return replace(scenario, agents=agents, ego=replace(scenario.ego, pose=place(scenario.ego.pose)))


@pytest.mark.parametrize("turn", [0.7, -2.5])
def test_nothing_depends_on_where_the_world_has_its_origin(turn, tmp_path):
    from simengine.datatypes.map import VectorMap

    here = make_scenario(agents=some_agents(), map=VectorMap(), route=())
    there = moved(here, np.array([300.0, -120.0]), turn)
    first, _ = make_env(tmp_path / "a", here).reset()
    second, _ = make_env(tmp_path / "b", there).reset()
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_more_agents_than_places_keep_the_nearest(tmp_path):
    pose = np.zeros((20, 66, 3))
    pose[:, :, 0] = (40.0 + 3.0 * np.arange(20))[::-1, None]
    parts = parts_of(make_env(tmp_path, make_scenario(agents=make_tracks(pose))))
    table = parts["agents"].reshape(NUM_AGENTS, AGENT_WIDTH)
    assert (table[:, 0] == 1).all()
    assert (np.diff(table[:, 1]) > 0).all()
    assert table[0, 1] == pytest.approx((40.0 - 12.0 - 1.461) / 50)


def test_the_documentation_shows_the_layout():
    text = DOCS.read_text()
    for name, size in blocks(4).items():
        assert f"| `{name}` | {size} |" in text, name
    assert f"{sum(blocks(4).values())} numbers" in text

from __future__ import annotations

import numpy as np
import pytest

from render_factories import make_gaussian, make_random_gaussians, make_street, states_at
from simengine.datatypes.agents import AgentType
from simengine.errors import AssetError
from simengine.geometry.se3 import rotation_from_quaternion
from simengine.render.assets.asset import Asset, AssetNode, NodeKind
from simengine.render.assets.formats import write_asset
from simengine.render.assets.library import AgentLibrary, stretched
from simengine.render.gaussians import concatenate
from simengine.render.lift import lift
from simengine.render.lift_agents import lift_agent

VEHICLE = int(AgentType.VEHICLE)


def write_model(path, size, shift=(0.0, 0.0, 0.0)) -> None:
    """Write the corners of a box as a vehicle."""
    corners = [[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)]
    parts = [make_gaussian(tuple(np.array(c) * size + shift), sigma=0.05) for c in corners]
    write_asset(path, Asset((AssetNode("car", NodeKind.BACKGROUND, concatenate(parts)),)))


@pytest.fixture
def library(tmp_path) -> AgentLibrary:
    write_model(tmp_path / "bus.npz", (11.0, 2.5, 3.2))
    write_model(tmp_path / "car.ply", (4.5, 1.9, 1.5), shift=(100.0, -3.0, 7.0))
    write_model(tmp_path / "car_twin.npz", (4.5, 1.9, 1.5))
    (tmp_path / "notes.txt").write_text("not a car")
    return AgentLibrary(tmp_path)


def test_the_nearest_size_is_stretched_to_the_box(library):
    assert [model.name for model in library.models] == ["bus.npz", "car.ply", "car_twin.npz"]
    for size, name in (((4.9, 2.0, 1.6), "car.ply"), ((9.0, 2.6, 3.0), "bus.npz")):
        node = library("a", VEHICLE, np.array(size))
        means = node.gaussians.means
        np.testing.assert_allclose(means.min(axis=0), [-size[0] / 2, -size[1] / 2, 0], atol=0.01)
        np.testing.assert_allclose(means.max(axis=0), [size[0] / 2, size[1] / 2, size[2]], atol=0.01)
        factor = np.array(size) / next(m.size for m in library.models if m.name == name)
        np.testing.assert_allclose(np.sort(node.gaussians.scales[0]), np.sort(0.05 * factor), rtol=0.02)


def test_only_vehicles_are_borrowed(library):
    size = np.array([0.6, 0.6, 1.8])
    borrowed, lifted = (make("p", int(AgentType.PEDESTRIAN), size) for make in (library, lift_agent))
    np.testing.assert_array_equal(borrowed.gaussians.means, lifted.gaussians.means)


def test_lifted_scenes_borrow_too(library):
    scenario = make_street()
    scene = lift(scenario, library)
    counts = [len(scene.nodes[f"agent/{agent_id}"].gaussians) for agent_id in states_at(scenario, 0).ids]
    assert counts[0] == 8 and counts[1] > 20


def test_stretching_stretches_covariances():
    flat, factors = make_random_gaussians(20, 2), np.array([0.5, 2.0, 3.0])
    after = stretched(flat, factors)

    def covariances(of):
        axes = rotation_from_quaternion(of.quats) * of.scales[:, None, :]
        return axes @ axes.swapaxes(1, 2)

    expected = np.diag(factors) @ covariances(flat) @ np.diag(factors)
    np.testing.assert_allclose(covariances(after), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(after.means, flat.means * factors, rtol=1e-6)


def test_what_is_no_library_is_one_sentence(tmp_path):
    with pytest.raises(AssetError, match="holds no vehicles"):
        AgentLibrary(tmp_path)("a", VEHICLE, np.ones(3))
    write_asset(
        tmp_path / "air.npz",
        Asset((AssetNode("a", NodeKind.BACKGROUND, make_gaussian((0, 0, 0), opacity=0.1)),)),
    )
    with pytest.raises(AssetError, match="has no solid Gaussians"):
        AgentLibrary(tmp_path)("a", VEHICLE, np.ones(3))
    with pytest.raises(AssetError, match="holds no vehicles"):
        AgentLibrary(tmp_path / "missing")("a", VEHICLE, np.ones(3))

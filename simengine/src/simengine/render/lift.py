"""Makes a renderable scene out of any scenario: its map, its tracks and plausible surroundings.

The same scenario always gives the same scene; nothing but its token seeds the invented parts.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

from simengine.render.gaussians import FlatGaussians, concatenate
from simengine.render.lift_agents import lift_agent
from simengine.render.lift_buildings import BLOCK, building_gaussians, free_land, tree_gaussians
from simengine.render.lift_canvas import Canvas
from simengine.render.lift_ground import LEVELS, ground_gaussians
from simengine.render.lift_lights import light_gaussians
from simengine.render.lift_road import paint_road
from simengine.render.lift_sky import sky_gaussians
from simengine.render.scene import BACKGROUND, SKY, SplatNode, SplatScene
from simengine.scenario.scenario import Scenario

REACH = 80.0
CELL = 0.18
MAX_CELLS = 3_000_000


def lift(
    scenario: Scenario, make_agent: Callable[[str, int, np.ndarray], SplatNode] = lift_agent
) -> SplatScene:
    """Return a scene with ground, buildings, trees, sky, lights and one node per agent.

    Args:
        scenario: its map, tracks and lights.
        make_agent: agent id, `AgentType`, size (3,) [m] -> node of the agent.
    """
    rng = np.random.default_rng(zlib.crc32(scenario.token.encode()))
    path = scenario.ego.pose[:, :2]
    canvas = Canvas.around(path, REACH, CELL, MAX_CELLS, max(BLOCK, 1 << (LEVELS - 1)))
    paint_road(canvas, scenario)
    land = free_land(canvas, scenario)
    heads, lamps = light_gaussians(scenario)
    background = concatenate(
        [
            ground_gaussians(canvas, path, rng),
            building_gaussians(land, rng),
            tree_gaussians(land, rng),
            heads,
        ]
    )
    origin = np.append(0.5 * (path.min(axis=0) + path.max(axis=0)), 0.0)
    nodes = [
        SplatNode(BACKGROUND, _around(background, origin), is_static=True),
        SplatNode(SKY, sky_gaussians(rng), is_static=True),
    ]
    nodes += [SplatNode(lamp.name, _around(lamp.gaussians, origin)) for lamp in lamps]
    agents = scenario.agents
    nodes += [
        make_agent(agent_id, int(kind), size)
        for agent_id, kind, size in zip(agents.ids, agents.types, agents.size, strict=True)
    ]
    return SplatScene({node.name: node for node in nodes}, origin)


def _around(gaussians: FlatGaussians, origin: np.ndarray) -> FlatGaussians:
    """Return Gaussians of the world frame relative to `origin` (3,)."""
    return FlatGaussians(
        gaussians.means - origin, gaussians.quats, gaussians.scales, gaussians.opacities, gaussians.sh
    )

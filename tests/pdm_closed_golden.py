"""Golden PDM scenes as inputs of PDM-Closed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pdm_golden import ragged
from simengine.datatypes.agents import AgentStates
from simengine.datatypes.map import AreaKind, Lane, MapArea, Roadblock, VectorMap
from simengine.datatypes.vehicle import VehicleParams
from simengine.pdm_closed.inputs import PdmClosedInput
from simengine.pdm_closed.roads import road_network


def read_golden(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def golden_input(data: dict[str, np.ndarray]) -> PdmClosedInput:
    present = data["agent_present"][:, 0]
    size = np.stack([data["agent_length"], data["agent_width"], np.ones(len(present))], axis=1)
    roads = road_network(golden_map(data))
    return PdmClosedInput(
        roads,
        roads.blocks_of(data["route_rb_token"].tolist()),
        data["sim_initial_state"],
        AgentStates(
            tuple(data["agent_token"][present].tolist()),
            data["agent_type"][present],
            data["agent_pose"][present, 0],
            np.nan_to_num(data["agent_velocity"][present, 0]),
            size[present],
        ),
        tuple(data["red_connector_token"][data["red_connector_frames"][:, 0]].tolist()),
        VehicleParams(),
    )


def golden_map(data: dict[str, np.ndarray]) -> VectorMap:
    tokens, blocks = data["lane_token"].tolist(), data["rb_token"].tolist()
    after: list[list[str]] = [[] for _ in tokens]
    for a, b in data["lane_edges"]:
        after[a].append(tokens[b])
    lanes = {
        token: Lane(
            token,
            line,
            polygon,
            blocks[block],
            bool(connector),
            tuple(successors),
            speed_limit=float(limit),
        )
        for token, line, polygon, block, connector, successors, limit in zip(
            tokens,
            ragged(data, "lane_base"),
            ragged(data, "lane_poly"),
            data["lane_roadblock"],
            data["lane_is_connector"],
            after,
            data["lane_speed_limit"],
            strict=True,
        )
    }
    roadblocks = {
        block: Roadblock(
            block, ring, tuple(i for i in tokens if lanes[i].roadblock_id == block), bool(connector)
        )
        for block, ring, connector in zip(
            blocks, ragged(data, "rb_poly"), data["rb_is_connector"], strict=True
        )
    }
    areas = [
        MapArea(token, kind, ring)
        for name, kind in (("intersection", AreaKind.INTERSECTION), ("carpark", AreaKind.CARPARK))
        for token, ring in zip(data[f"{name}_token"].tolist(), ragged(data, f"{name}_poly"), strict=True)
    ]
    return VectorMap(lanes, roadblocks, tuple(areas))

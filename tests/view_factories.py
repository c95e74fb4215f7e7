"""Drives to look at: a straight road with two vehicles and a person, the ego faster than its log."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from factories import make_scenario
from simengine.datatypes.agents import AgentTracks, AgentType
from simengine.datatypes.lights import TrafficLights
from simengine.datatypes.record import RolloutRecord
from simengine.render.rig import nuplan_rig
from simengine.scenario.scenario import Scenario
from simengine.view.drive import Drive, recorded_drive


def make_street(token: str = "street") -> Scenario:
    """Return a scenario with a car ahead, one beside that leaves at frame 40, and a person."""
    frames = np.arange(66)
    pose = np.zeros((3, 66, 3))
    pose[0, :, 0] = 25.0 + 0.6 * frames
    pose[1, :, 0] = 14.0 + 0.8 * frames
    pose[1, :, 1] = 3.5
    pose[2] = (30.0, -4.0, 1.5)
    velocity = np.zeros((3, 66, 2))
    velocity[:2, :, 0] = [[6.0], [8.0]]
    valid = np.ones((3, 66), bool)
    valid[1, 40:] = False
    size = np.array([[4.6, 1.9, 1.5], [4.4, 1.8, 1.6], [0.6, 0.6, 1.8]])
    types = np.array([AgentType.VEHICLE, AgentType.VEHICLE, AgentType.PEDESTRIAN], np.int8)
    ids = ("ahead/1", "beside", "person")
    return make_scenario(token=token, agents=AgentTracks(ids, types, pose, velocity, size, valid))


def make_street_record(scenario: Scenario, speed: float = 9.0, steps: int = 40) -> RolloutRecord:
    """Return an ego at constant speed that plans 4 s straight ahead every 0.5 s, in a scenario of 10 Hz."""
    start = scenario.initial_frame
    states = np.zeros((steps + 1, 11))
    states[:, 0] = scenario.ego.pose[start, 0] + speed * 0.1 * np.arange(steps + 1)
    states[:, 3] = speed
    decisions = np.arange(0, steps, 5)
    plan = np.zeros((8, 3))
    plan[:, 0] = speed * 0.5 * np.arange(1, 9)
    return RolloutRecord(
        token=scenario.token,
        protocol="navsim",
        traffic="NR",
        seed=0,
        dt=0.1,
        timestamps_us=scenario.timestamps_us[start : start + steps + 1],
        ego_states=states,
        agents=scenario.agents.at_frames(np.arange(start, start + steps + 11)),
        lights=TrafficLights.empty(steps + 11),
        decision_frames=decisions,
        plans=np.tile(plan, (len(decisions), 1, 1)),
        plan_dt=0.5,
        plan_indices=np.full(len(decisions), -1),
        commands=np.zeros(len(decisions), np.int8),
    )


def make_drive(title: str = "run/street", speed: float = 9.0, token: str = "street") -> Drive:
    """Return the drive of such a record, seen by small cameras."""
    scenario = make_street(token)
    drive = recorded_drive(title, make_street_record(scenario, speed), scenario, nuplan_rig(64, 36))
    return replace(drive, title=title)

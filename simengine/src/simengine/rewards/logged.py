"""Open loop: instants of a log, where the others do what they did."""

from __future__ import annotations

import numpy as np

from simengine.datatypes.agents import AgentTracks
from simengine.datatypes.ego import StateIndex
from simengine.metrics.pdm.observation import interpolate_tracks
from simengine.pdm_closed.inputs import logged_agents
from simengine.rewards.modes import DT, RewardRules
from simengine.rewards.moment import Moment, log_ends_early
from simengine.rewards.published import PublishedLog
from simengine.scenario.resample import resample
from simengine.scenario.scenario import Scenario

OBSERVED_FRAMES = 51
"""Frames of the others in NAVSIM's observation: 5 s."""


def logged_moment(scenario: Scenario, rules: RewardRules) -> Moment:
    """Return the instant of the first decision of a scenario, at its own rate, with the logged future.

    A log at 10 Hz or more is taken frame by frame. Between the frames of a slower one, tracks are interpolated by
    the rules of NAVSIM: linear, gaps bridged.
    """
    if rules.published:
        return PublishedLog(scenario).moment(0, scenario.ego.state(scenario.initial_frame))
    frame = scenario.initial_frame
    return Moment(
        scenario.token,
        0,
        int(scenario.timestamps_us[frame]),
        logged_ego(scenario, frame, rules),
        logged_tracks(scenario, rules.scoring.lone_detections_vanish),
        logged_agents(scenario, frame),
        tuple(scenario.lights.red_lanes(frame)),
        log_ends_early((scenario.num_frames - 1 - frame) * scenario.dt, rules.num_frames),
    )


def logged_ego(scenario: Scenario, frame: int, rules: RewardRules) -> np.ndarray:
    """Return the logged state (11,) at `frame`; with a yaw rate where the tracker starts to steer by it."""
    state = scenario.ego.state(frame)
    if rules.tracker.steering_from_yaw_rate:
        before, after = max(frame - 1, 0), min(frame + 1, scenario.num_frames - 1)
        elapsed = (scenario.timestamps_us[after] - scenario.timestamps_us[before]) * 1e-6
        turned = np.diff(np.unwrap(scenario.ego.pose[[before, after], 2]))[0]
        state[StateIndex.ANGULAR_VELOCITY] = turned / elapsed if elapsed > 0.0 else 0.0
    return state


def logged_tracks(scenario: Scenario, lone_detections_vanish: bool) -> AgentTracks:
    """Return the logged tracks from the first decision on, 0.1 s apart, for 5 s or until the log ends."""
    if scenario.dt <= DT + 1e-9:
        scenario = resample(scenario, DT)
        return _window(scenario, OBSERVED_FRAMES)
    detections = _window(scenario, int((OBSERVED_FRAMES - 1) * DT / scenario.dt + 1e-6) + 1)
    known = round((detections.num_frames - 1) * scenario.dt / DT) + 1
    return interpolate_tracks(
        detections, scenario.dt, min(OBSERVED_FRAMES, known), DT, lone_detections_vanish
    )


def _window(scenario: Scenario, frames: int) -> AgentTracks:
    tracks = scenario.agents
    part = slice(scenario.initial_frame, scenario.initial_frame + frames)
    pose, velocity, valid = (x[:, part] for x in (tracks.pose, tracks.velocity, tracks.valid))
    return AgentTracks(tracks.ids, tracks.types, pose, velocity, tracks.size, valid)

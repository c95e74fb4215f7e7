"""A small closed loop over the `files` protocol for its tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bridge_factories import PATIENCE
from factories import make_scenario, make_tracks
from simengine.agents.files_planner import FilesPlannerPolicy, encode_jpeg
from simengine.agents.traffic import LogReplay
from simengine.bridge.files.client import FilesClient
from simengine.bridge.files.folder import RunFolder
from simengine.dynamics.tracking import PerfectTracking
from simengine.render.rig import nuplan_rig
from simengine.runner.run_directory import RunDirectory
from simengine.runner.worker import PolicySource, Worker, WorkerSettings
from simengine.sim.loop import Simulation
from simengine.sim.protocol import Protocol

HISTORY = 4


class GreyRenderer:
    """Draws every camera in a grey that tells the frame."""

    def load(self, scenario):
        pass

    def render(self, ego_pose, agents, cameras, frame_time, ego_motion=None):
        return {c.name: np.full((c.height_px, c.width_px, 3), 2 * frame_time, np.uint8) for c in cameras}


def make_vocabulary(rows: int = 16) -> np.ndarray:
    """Return plans (rows, 40, 3) float32 with constant speed and curvature, straight ones included."""
    t = 0.1 * np.arange(1, 41)
    speed = np.linspace(2.0, 10.0, rows)[:, None]
    curvature = np.tile([0.0, 0.01, -0.01, 0.0], rows)[:rows, None]
    yaw = speed * curvature * t
    bend = np.where(np.abs(curvature) > 0, curvature, 1.0)
    x = np.where(curvature == 0, speed * t, np.sin(yaw) / bend)
    y = np.where(curvature == 0, 0.0, (1 - np.cos(yaw)) / bend)
    return np.stack([x, y, yaw], axis=-1).astype(np.float32)


def busy_scenario(token: str = "straight"):
    """Return a straight drive with a car ahead, and one that appears late."""
    x = 30.0 + 8.0 * 0.1 * np.arange(66)
    tracks = make_tracks(np.stack([np.stack([x, 0 * x, 0 * x], 1), np.stack([x - 50, 0 * x + 4, 0 * x], 1)]))
    tracks.valid[1, :28] = False
    return make_scenario(agents=tracks, token=token, global_from_world=np.array([331000.0, 4690000.0]))


def make_client(run: Path, **options: object) -> FilesClient:
    return FilesClient(RunFolder(run), encode_jpeg, start_timeout=PATIENCE, plan_timeout=PATIENCE, **options)


def make_files_worker(run: Path, client: FilesClient, out: Path) -> Worker:
    """Return a worker that drives with the planner of `client`."""
    protocol = Protocol()
    simulation = Simulation(protocol, PerfectTracking(), LogReplay, GreyRenderer(), nuplan_rig(64, 36))

    def make(scenario, stage):
        return FilesPlannerPolicy(
            client, scenario, stage, HISTORY, protocol.num_decisions, protocol.steps_per_decision
        )

    source = PolicySource(make, lambda _: client.finish(), client.close)
    return Worker(simulation, source, RunDirectory(out), WorkerSettings(0, "NR", ""))

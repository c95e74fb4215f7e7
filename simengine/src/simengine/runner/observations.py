"""Keeps the observations of a rollout, images as JPEG."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace

import numpy as np

from simengine.datatypes.observation import Observation
from simengine.datatypes.observation_log import ObservationLog
from simengine.datatypes.record import RolloutRecord
from simengine.render.jpeg import JpegPool

JPEG_QUALITY = 92


class ObservationCollector:
    """Collects one observation per decision.

    Args:
        channels: cameras to keep, in this order; None keeps all that were rendered.
        pool: encodes images while the simulation goes on.
    """

    def __init__(self, channels: tuple[str, ...] | None, pool: JpegPool) -> None:
        self._channels, self._pool = channels, pool
        self._observations: list[Observation] = []
        self._jpegs: list[tuple[Future[bytes], ...]] = []
        self.commands: list[int] = []

    def add(self, observation: Observation) -> None:
        """Keep `observation`."""
        self.commands.append(int(observation.command_history[-1]))
        names = [c.name for c in observation.cameras if self._channels is None or c.name in self._channels]
        self._jpegs.append(tuple(self._pool.submit(observation.images[name], JPEG_QUALITY) for name in names))
        # The images go once they are encoded; a rollout of full size would fill the memory.
        self._observations.append(replace(observation, images={}))

    def finish(self, record: RolloutRecord, ego_states: np.ndarray) -> ObservationLog | None:
        """Return everything kept, or None if there were no images to keep.

        Args:
            record: what was driven.
            ego_states: (S', 11) executed states from the first decision to the end of the look-ahead, so that
                the last decisions have a future to learn from.
        """
        first = self._observations[0]
        cameras = tuple(c for c in first.cameras if self._channels is None or c.name in self._channels)
        if not cameras:
            return None

        def stack(name: str) -> np.ndarray:
            return np.stack([getattr(o, name) for o in self._observations])

        return ObservationLog(
            token=record.token,
            cameras=cameras,
            jpegs=tuple(tuple(jpeg.result() for jpeg in rig) for rig in self._jpegs),
            timestamps_us=stack("timestamp_us"),
            ego_pose=stack("ego_pose"),
            ego_history=stack("ego_history"),
            velocity_history=stack("velocity_history"),
            acceleration_history=stack("acceleration_history"),
            command_history=stack("command_history"),
            history_valid=stack("history_valid"),
            history_dt=first.history_dt,
            ego_states=ego_states,
            state_dt=record.dt,
            decision_frames=record.decision_frames,
        )

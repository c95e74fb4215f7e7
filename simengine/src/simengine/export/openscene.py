"""One rollout as the original stores it: a list of OpenScene frames, and the images and point clouds they name.

Everything is kept in memory and written when the episode is over, the frames last: a scenario whose frames are there
is complete.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

from simengine.agents.files_planner import JPEG_QUALITY
from simengine.agents.policy import EgoPolicy
from simengine.agents.scene_moments import SceneMoments, Stage, scene_labels
from simengine.bridge.files.frame_dict import frame_dict
from simengine.bridge.files.past import PAST
from simengine.bridge.files.scene import SceneLabels
from simengine.datatypes.observation import Observation
from simengine.datatypes.plan import Plan
from simengine.datatypes.state import SimState
from simengine.export.layout import OpenSceneFolder
from simengine.export.logged import logged_frames, with_logged
from simengine.export.plan_index import nearest_plan
from simengine.export.point_cloud import point_cloud_bytes, points_in_boxes
from simengine.files.atomic import write_atomically
from simengine.files.plain_pickle import plain_pickle
from simengine.render.jpeg import JpegPool
from simengine.rewards.pdms_pkl import scenario_id
from simengine.rewards.vocabulary import Vocabulary
from simengine.scenario.scenario import Scenario


@dataclass(frozen=True)
class OpenSceneRecorder:
    """Keeps the frames of one episode after another.

    Attributes:
        folder: where they go.
        history: frames up to the first decision, it included.
        stride: simulation frames between two frames of the output.
        vocabulary: what plans without a vocabulary row are compared with; None to enter no row for them.
        pool: encodes images while the simulation goes on.
    """

    folder: OpenSceneFolder
    history: int
    stride: int
    vocabulary: Vocabulary | None = None
    pool: JpegPool = field(default_factory=JpegPool)

    def start(self, scenario: Scenario, stage: Stage, file: Path | None = None) -> EpisodeFrames:
        """Return the frames of an episode in `scenario`, none yet; what an earlier attempt left is not valid any more.

        Args:
            scenario: at the simulation rate.
            stage: the simulation that was reset to it.
            file: where it was read from; what OpenScene says about its frames is looked for beside it.
        """
        labels = replace(scene_labels(scenario, self.history, self.stride), scenario_id=scenario_id(scenario))
        self.folder.meta(labels.scenario_id).unlink(missing_ok=True)
        moments = SceneMoments(scenario, stage, self.history, self.stride)
        logged = logged_frames(file, scenario.token)
        return EpisodeFrames(self, labels, moments, stage.observe, logged)


class EpisodeFrames:
    """Frames of one episode, in order."""

    def __init__(
        self,
        recorder: OpenSceneRecorder,
        labels: SceneLabels,
        moments: SceneMoments,
        observe: Callable[[SimState], Observation],
        logged: Mapping[str, Mapping],
    ) -> None:
        self._recorder, self._labels, self._moments, self._observe = recorder, labels, moments, observe
        self._logged = logged
        self._frames: list[dict] = []
        self._blobs: dict[str, bytes | Future[bytes]] = {}
        self._chosen: list[tuple[int, int]] = []

    def add(self, state: SimState, observation: Observation, plan: Plan) -> None:
        """Keep a decision; before the first one, the history too."""
        if not self._frames:
            for past in self._moments.past(state):
                self._keep(past, self._observe(past))
        self._keep(state, observation)
        self._choose(plan)

    def finish(self, final: SimState, policy: EgoPolicy | None) -> None:
        """Keep the state that the last decision led to.

        Args:
            final: at or after it, with its trails.
            policy: is asked for one more plan there, as the original's planner is; None to ask nobody.
        """
        end = self._moments.at_step(final, len(self._frames))
        observation = self._observe(end)
        self._keep(end, observation)
        if policy is not None:
            self._choose(policy.plan(observation, end))

    def save(self, token: str) -> None:
        """Write images and clouds, chosen rows and frames; `token` is the scenario's."""
        folder, labels = self._recorder.folder, self._labels
        for path, blob in self._blobs.items():
            write_atomically(folder.sensor_blobs / path, blob if isinstance(blob, bytes) else blob.result())
        rows = {"token": token, "scenario_id": labels.scenario_id, "prefix": labels.scene_token}
        body = json.dumps(rows | {"rows": self._chosen}, sort_keys=True)
        write_atomically(folder.plan_rows / f"{token}.json", body.encode())
        write_atomically(folder.meta(labels.scenario_id), plain_pickle(linked(self._frames)))

    def _keep(self, state: SimState, observation: Observation) -> None:
        step, labels = len(self._frames), self._labels
        frame = frame_dict(labels, self._moments.moment(step, state, observation), self._frames[-PAST:])
        frame = with_logged(frame, self._logged.get(labels.original_token(step)), labels.variant)
        if observation.lidar is not None:
            frame["lidar_path"] = labels.cloud_path(step)
            frame["num_lidar_pts"] = points_in_boxes(observation.lidar, frame["gt_boxes"])
            self._blobs[frame["lidar_path"]] = point_cloud_bytes(observation.lidar)
        self._frames.append(frame)
        for name, image in observation.images.items():
            self._blobs[frame["cams"][name]["data_path"]] = self._recorder.pool.submit(image, JPEG_QUALITY)

    def _choose(self, plan: Plan) -> None:
        """Note the vocabulary row that leads to the next frame: the planner's, or the one closest to the plan."""
        index, vocabulary = plan.vocabulary_index, self._recorder.vocabulary
        if index is None and vocabulary is not None:
            index = nearest_plan(vocabulary, plan)
        if index is not None:
            self._chosen.append((len(self._frames), int(index)))


def linked(frames: list[dict]) -> list[dict]:
    """Return `frames` with each one's neighbours named by their tokens, None at the ends."""
    tokens = [None, *(frame["token"] for frame in frames), None]
    return [
        frame | {"sample_prev": tokens[i], "sample_next": tokens[i + 2]} for i, frame in enumerate(frames)
    ]


def discard_openscene(root: Path) -> None:
    """Delete what says that scenarios are complete, for a run that starts over."""
    folder = OpenSceneFolder(root)
    for stale in (
        *folder.meta_datas.glob("*.pkl"),
        *folder.plan_rows.glob("*.json"),
        *folder.pdms_pkl.glob("*"),
    ):
        stale.unlink()

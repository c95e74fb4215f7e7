"""What one drive puts into the page: surroundings that stand, and agents, ego and cameras that move."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from simengine.datatypes.camera import CameraCalibration
from simengine.geometry.se3 import quaternion_from_rotation
from simengine.render.gaussians import FlatGaussians
from simengine.render.lift_agents import lift_agent
from simengine.render.scene import SKY, SplatScene, agent_node, light_node
from simengine.render.stage import Stage
from simengine.view.colours import LOGGED, PLAN, SELECTED, Colour, agent_colour
from simengine.view.drive import Drive
from simengine.view.map_lines import map_segments, polyline_segments
from simengine.view.splats import splat_cloud

if TYPE_CHECKING:
    from viser import SceneApi, SceneNodeHandle

LAYERS = ("splats", "boxes", "map", "cameras", "paths")
_MAP_HEIGHT, _PATH_HEIGHT, _PLAN_HEIGHT = 0.05, 0.12, 0.2
_CAMERA_SIZE = 0.9


@dataclass(frozen=True)
class Look:
    """How a drive is drawn.

    Attributes:
        ego: colour of its ego.
        shift: (3,) added to world coordinates, so that what is shown lies near the origin of the page.
        surroundings: whether to draw splats and map; a drive in the same world as another needs them once.
        ghost: whether boxes are fainter than those of another drive in the same place, and without splats.
        most_splats: of the surroundings, at most.
    """

    ego: Colour
    shift: np.ndarray
    surroundings: bool = True
    ghost: bool = False
    most_splats: int | None = None


class DriveNodes:
    """The nodes of one drive below `/world/<name>`.

    Args:
        scene: of the viser server.
        name: of the drive's own root.
        drive: what to show.
        stage: how it stands in its scene of Gaussians.
        look: how.
        on_click: called with the row of an agent whose box is clicked.
    """

    def __init__(
        self,
        scene: SceneApi,
        name: str,
        drive: Drive,
        stage: Stage,
        look: Look,
        on_click: Callable[[int], None],
    ) -> None:
        self._scene, self._root, self._drive, self._look = scene, f"/world/{name}", drive, look
        self._stage, splats = stage, stage.scene
        self._layers: dict[str, list[SceneNodeHandle]] = {layer: [] for layer in LAYERS}
        self._shown = dict.fromkeys(LAYERS, True)
        self._lights: list[tuple[SceneNodeHandle, np.ndarray]] = []
        self._planned: np.ndarray | None = None
        self._plan: SceneNodeHandle | None = None
        self._selected: int | None = None
        self._frame_node = scene.add_frame(self._root, show_axes=False, position=look.shift)
        if look.surroundings:
            self._add_surroundings(splats)
        self._agents = [self._add_agent(row, splats, on_click) for row in range(drive.agents.num_agents)]
        self._ego = self._add_ego()
        self._cameras = {camera.name: self._add_camera(camera) for camera in drive.cameras}
        self._add_paths()

    def remove(self) -> None:
        """Take everything off the page."""
        self._frame_node.remove()

    def show_layers(self, shown: Mapping[str, bool]) -> None:
        """Show or hide kinds of nodes; `shown` has a value for each of `LAYERS`."""
        self._shown = dict(shown)
        for layer, handles in self._layers.items():
            for handle in handles:
                handle.visible = self._shown[layer]
        if self._plan is not None:
            self._plan.visible = self._shown["paths"]

    def select(self, row: int | None) -> None:
        """Mark the box of one agent, or none."""
        for old, colour in ((self._selected, None), (row, SELECTED)):
            if old is not None:
                self._agents[old][1].color = colour or agent_colour(self._drive.agents.types[old])
        self._selected = row

    def show(self, frame: int) -> None:
        """Put everything where it is at a frame."""
        drive = self._drive
        frame = drive.clamp(frame)
        for row, (node, _) in enumerate(self._agents):
            present = bool(drive.agents.valid[row, frame])
            node.visible = present
            if present:
                self._place(node, drive.agents.pose[row, frame])
        self._place(self._ego, drive.ego[frame])
        for node, visible in self._lights:
            node.visible = bool(visible[min(drive.first_frame + frame, len(visible) - 1)])
        self._show_plan(drive.plan_at(frame))

    def show_images(self, images: Mapping[str, np.ndarray]) -> None:
        """Put images (H, W, 3) into the cameras."""
        for channel, image in images.items():
            if channel in self._cameras:
                self._cameras[channel].image = image

    def _add(self, layer: str, handle: SceneNodeHandle) -> None:
        self._layers[layer].append(handle)

    def _add_surroundings(self, splats: SplatScene) -> None:
        for name, node in splats.nodes.items():
            # The sky would stand between the eye and the scene: the page is looked at from outside.
            if node.is_static and name != SKY:
                self._add("splats", self._splats(name, node.gaussians, splats.origin, self._look.most_splats))
        lights = self._drive.scenario.lights
        for lane_id, states in zip(lights.lane_ids, lights.state, strict=True):
            for state in np.unique(states):
                name = light_node(lane_id, int(state))
                if name in splats.nodes:
                    lamp = self._splats(
                        f"light_{len(self._lights)}", splats.nodes[name].gaussians, splats.origin
                    )
                    self._lights.append((lamp, states == state))
        points, colours = map_segments(self._drive.scenario.map)
        self._add("map", self._lines("map", self._raised(points, _MAP_HEIGHT), colours, 0.06))

    def _splats(
        self, name: str, gaussians: FlatGaussians, position: np.ndarray, most: int | None = None
    ) -> SceneNodeHandle:
        cloud = splat_cloud(gaussians, most)
        return self._scene.add_gaussian_splats(
            f"{self._root}/{name}",
            cloud.centers,
            cloud.covariances,
            cloud.rgbs,
            cloud.opacities,
            position=position,
        )

    def _lines(
        self, name: str, points: np.ndarray, colours: np.ndarray | Colour, thickness: float
    ) -> SceneNodeHandle:
        return self._scene.add_line_segments(
            f"{self._root}/{name}", points.astype(np.float32), colours, thickness=thickness
        )

    def _add_agent(self, row: int, splats: SplatScene, on_click: Callable[[int], None]) -> tuple:
        """Return the node of an agent, which moves, and its box."""
        tracks = self._drive.agents
        agent_id, kind, size = tracks.ids[row], int(tracks.types[row]), tracks.size[row]
        # Ids may hold slashes, which make children in the page.
        name = f"agents/{row}"
        node = self._scene.add_frame(f"{self._root}/{name}", show_axes=False)
        shape = splats.nodes.get(agent_node(agent_id)) or lift_agent(agent_id, kind, size)
        if not self._look.ghost and len(shape.gaussians):
            self._add("splats", self._splats(f"{name}/splats", shape.gaussians, np.zeros(3)))
        box = self._box(f"{name}/box", agent_colour(kind), size)
        box.on_click(lambda _: on_click(row))
        return node, box

    def _box(self, name: str, colour: Colour, size: np.ndarray, forward: float = 0.0) -> SceneNodeHandle:
        box = self._scene.add_box(
            f"{self._root}/{name}",
            color=colour,
            # A ghost that stands where another box stands would flicker in its faces.
            dimensions=size * (0.97 if self._look.ghost else 1.0),
            opacity=0.3 if self._look.ghost else 0.5,
            cast_shadow=False,
            receive_shadow=False,
            position=(forward, 0.0, 0.5 * float(size[2])),
        )
        self._add("boxes", box)
        return box

    def _add_ego(self) -> SceneNodeHandle:
        vehicle = self._drive.scenario.vehicle
        node = self._scene.add_frame(f"{self._root}/ego", show_axes=False)
        size = np.array([vehicle.length, vehicle.width, vehicle.height])
        self._box("ego/box", self._look.ego, size, vehicle.rear_axle_to_center)
        return node

    def _add_camera(self, camera: CameraCalibration) -> SceneNodeHandle:
        pose = camera.ego_from_cam
        handle = self._scene.add_camera_frustum(
            f"{self._root}/ego/{camera.name}",
            fov=2.0 * float(np.arctan(0.5 * camera.height_px / camera.intrinsic[1, 1])),
            aspect=camera.width_px / camera.height_px,
            scale=_CAMERA_SIZE,
            color=self._look.ego,
            jpeg_quality=80,
            format="jpeg",
            wxyz=quaternion_from_rotation(pose[:3, :3]),
            position=pose[:3, 3],
            cast_shadow=False,
            receive_shadow=False,
        )
        self._add("cameras", handle)
        return handle

    def _add_paths(self) -> None:
        drive = self._drive
        logged = drive.scenario.ego.pose[drive.first_frame : drive.first_frame + drive.num_frames, :2]
        for name, points, colour in (
            ("logged", logged, LOGGED),
            ("driven", drive.ego[:, :2], self._look.ego),
        ):
            if len(points) > 1:
                segments = self._raised(polyline_segments(points), _PATH_HEIGHT)
                self._add("paths", self._lines(name, segments, colour, 0.12))

    def _show_plan(self, points: np.ndarray | None) -> None:
        if points is self._planned:
            return
        self._planned = points
        if self._plan is not None:
            self._plan.remove()
            self._plan = None
        if points is not None and len(points) > 1:
            self._plan = self._lines("plan", self._raised(polyline_segments(points), _PLAN_HEIGHT), PLAN, 0.3)
            self._plan.visible = self._shown["paths"]

    def _place(self, node: SceneNodeHandle, pose: np.ndarray) -> None:
        """Put a node on the ground at a planar pose."""
        # Agents stand where the ego would: on a slope that is right within the clearance of its wheels.
        transform = self._stage.world_from_ego(pose)
        node.position = transform[:3, 3]
        node.wxyz = quaternion_from_rotation(transform[:3, :3])

    def _raised(self, points: np.ndarray, height: float) -> np.ndarray:
        """Return planar points (..., 2) as (..., 3), a height above the ground [m]."""
        flat = points.reshape(-1, 2)
        ground = [self._stage.world_from_ego(np.append(point, 0.0))[2, 3] for point in flat]
        return np.column_stack([flat, np.array(ground) + height]).reshape(*points.shape[:-1], 3)

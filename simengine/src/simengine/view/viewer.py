"""The viewer: what is shown, and the loop that moves it."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simengine.errors import SimEngineError
from simengine.geometry.se2 import rotate
from simengine.render.backend import RenderBackend
from simengine.render.scene import SKY, SplatScene
from simengine.view.colours import EGO, OTHER_EGO
from simengine.view.drive import Drive, DriveSource
from simengine.view.images import CameraImages
from simengine.view.montage import beside, caption
from simengine.view.nodes import DriveNodes, Look
from simengine.view.panel import NOTHING, Panel
from simengine.view.playback import Playback

if TYPE_CHECKING:
    from viser import ViserServer

_IDLE = 0.5
_MARGIN = 10.0
EYE = np.array([-13.0, 7.0, 10.0])
AHEAD = np.array([9.0, 0.0, 0.0])


@dataclass(frozen=True)
class _Shown:
    drive: Drive
    images: CameraImages
    nodes: DriveNodes


class Viewer:
    """One page for one or two drives.

    Everything happens in the thread that calls `step`; threads of the server only leave messages.

    Args:
        server: without content.
        sources: drives on offer, at least one; the first is shown.
        backend: draws camera images; None shows those that the runs kept.
        compare: title of a second drive to show.
        most_splats: how many Gaussians of the surroundings the page gets at most.
    """

    def __init__(
        self,
        server: ViserServer,
        sources: Sequence[DriveSource],
        backend: RenderBackend | None,
        compare: str | None = None,
        most_splats: int | None = None,
    ) -> None:
        self._server, self._backend = server, backend
        self._sources = {source.title: source for source in sources}
        self._most_splats = most_splats
        self._inbox: queue.SimpleQueue[tuple[str, object]] = queue.SimpleQueue()
        self._shown: list[_Shown] = []
        self._selected: tuple[int, int] | None = None
        self._follow = True
        self._playback = Playback(0.0)
        self._drawn = -1
        self._clock = time.monotonic()
        server.scene.world_axes.visible = False
        # Even light keeps the colours of boxes what they are.
        server.scene.configure_default_lights(False)
        server.scene.configure_environment_map(None)
        server.scene.add_light_ambient("/light", intensity=1.4)
        server.scene.add_light_directional("/sun", intensity=0.9, position=(30.0, 50.0, 100.0))
        server.gui.configure_theme(
            control_layout="collapsible", control_width="large", show_logo=False, show_share_button=False
        )
        self._world = server.scene.add_frame("/world", show_axes=False)
        self._panel = Panel(server.gui, list(self._sources), self.tell)
        self._open(sources[0].title, compare)

    def tell(self, name: str, value: object) -> None:
        """Leave a message for the loop; may be called from any thread."""
        self._inbox.put((name, value))

    def run(self) -> None:
        """Serve the page until Ctrl-C."""
        while True:
            self.step()

    def step(self) -> None:
        """Wait for the next frame or message, then bring the page up to date."""
        wait = min(self._playback.until_next(self._dt), _IDLE) if self._playback.playing else _IDLE
        try:
            self._obey(*self._inbox.get(timeout=max(wait, 0.001)))
            while True:
                self._obey(*self._inbox.get_nowait())
        except queue.Empty:
            pass
        now = time.monotonic()
        self._playback, self._clock = self._playback.after(now - self._clock), now
        if self._playback.frame(self._dt) != self._drawn:
            self._draw()

    @property
    def frame(self) -> int:
        """The frame that the page shows."""
        return self._drawn

    @property
    def playback(self) -> Playback:
        """Where the playback is."""
        return self._playback

    @property
    def drives(self) -> list[Drive]:
        """The one or two drives that the page shows."""
        return [shown.drive for shown in self._shown]

    @property
    def _dt(self) -> float:
        return self._shown[0].drive.dt

    def _obey(self, name: str, value: object) -> None:
        self._clock_to_now()
        if name == "play":
            playing = self._playback.playing
            self._playback = replace(self._playback, playing=False) if playing else self._playback.started()
        elif name == "frame":
            position = min(float(value) * self._dt, self._playback.duration)
            self._playback = replace(self._playback, position=position, playing=False)
        elif name == "speed":
            self._playback = replace(self._playback, speed=float(str(value).rstrip("x")))
        elif name == "loop":
            self._playback = replace(self._playback, loop=bool(value))
        elif name == "follow":
            self._follow = bool(value)
        elif name == "layers":
            for shown in self._shown:
                shown.nodes.show_layers(self._panel.layers)
        elif name == "first":
            self._open(str(value), self.drives[1].title if len(self._shown) > 1 else None)
        elif name == "second":
            self._open(self.drives[0].title, None if value == NOTHING else str(value))
        elif name == "agent":
            self._select(*value)
        self._drawn = -1

    def _clock_to_now(self) -> None:
        """Let the time until now pass at the speed it was meant for."""
        now = time.monotonic()
        self._playback, self._clock = self._playback.after(now - self._clock), now

    def _open(self, first: str, second: str | None) -> None:
        """Show one or two drives from their beginning; what cannot be opened leaves the page as it was."""
        try:
            drives = [self._sources[title].open() for title in (first, second) if title is not None]
            images = self._images_of(drives)
        except SimEngineError as error:
            if not self._shown:
                raise
            self._panel.show_drives(
                self.drives[0].title, self.drives[1].title if len(self._shown) > 1 else None
            )
            for client in self._server.get_clients().values():
                client.add_notification("This drive cannot be shown", str(error), auto_close_seconds=20.0)
            return
        with self._server.atomic():
            for shown in self._shown:
                shown.nodes.remove()
            self._shown = self._nodes(drives, images)
            self._selected = None
            self._panel.show_agent(None)
            for shown in self._shown:
                shown.nodes.show_layers(self._panel.layers)
        self._panel.offer_cameras([camera.name for camera in drives[0].cameras])
        self._panel.show_drives(first, second)
        self._panel.show_scores(drives)
        self._look_at_ego(drives[0])
        self._playback = replace(
            self._playback, duration=max(drive.duration for drive in drives), position=0.0
        )
        self._draw()
        self._clock = time.monotonic()

    def _images_of(self, drives: list[Drive]) -> list[CameraImages]:
        """Return where images of the drives come from, their scenes open; one scene for one world."""
        first = drives[0]
        made = [CameraImages(first, self._backend)]
        for drive in drives[1:]:
            same = _one_world(first, drive) and drive.open_scene == first.open_scene
            made.append(CameraImages(drive, self._backend, made[0].stage if same else None))
        for images in made:
            _ = images.stage
        return made

    def _nodes(self, drives: list[Drive], images: list[CameraImages]) -> list[_Shown]:
        origin = np.append(drives[0].ego[0, :2], 0.0)
        looks = [Look(EGO, -origin, most_splats=self._most_splats)]
        if len(drives) > 1 and _one_world(*drives):
            looks.append(Look(OTHER_EGO, -origin, surroundings=False, ghost=True))
        elif len(drives) > 1:
            shift = _neighbour(drives, [seen.stage.scene for seen in images])
            looks.append(Look(OTHER_EGO, shift, most_splats=self._most_splats))
        scene = self._server.scene
        return [
            _Shown(drive, seen, DriveNodes(scene, "ab"[k], drive, seen.stage, look, self._clicked(k)))
            for k, (drive, seen, look) in enumerate(zip(drives, images, looks, strict=True))
        ]

    def _clicked(self, which: int) -> Callable[[int], None]:
        return lambda row: self.tell("agent", (which, row))

    def _select(self, which: int, row: int) -> None:
        # A second click on the same agent lets it go.
        self._selected = None if self._selected == (which, row) else (which, row)
        for k, shown in enumerate(self._shown):
            chosen = self._selected is not None and self._selected[0] == k
            shown.nodes.select(row if chosen else None)

    def _look_at_ego(self, drive: Drive) -> None:
        camera, yaw = self._server.initial_camera, float(drive.ego[0, 2])
        camera.position = np.append(rotate(EYE[:2], yaw), EYE[2])
        camera.look_at = np.append(rotate(AHEAD[:2], yaw), AHEAD[2])
        camera.up = (0.0, 0.0, 1.0)

    def _draw(self) -> None:
        """Show the frame at which the playback is."""
        frame = self._playback.frame(self._dt)
        seconds = frame * self._dt
        at = [shown.drive.clamp(round(seconds / shown.drive.dt)) for shown in self._shown]
        images = [
            shown.images.at(k, self._wanted(shown.drive)) for shown, k in zip(self._shown, at, strict=True)
        ]
        first = self.drives[0]
        with self._server.atomic():
            for shown, k, seen in zip(self._shown, at, images, strict=True):
                shown.nodes.show(k)
                if self._panel.layers["cameras"]:
                    shown.nodes.show_images(seen)
            # The world moves and the eye stands: turning the view while it plays stays smooth.
            moved = first.ego[at[0], :2] - first.ego[0, :2] if self._follow else np.zeros(2)
            self._world.position = np.append(-moved, 0.0)
        self._panel.show_image(self._large_image(images))
        self._panel.show_playback(
            self._playback, frame, round(self._playback.duration / self._dt), float(first.speed[at[0]])
        )
        if self._selected is not None:
            which, row = self._selected
            self._panel.show_agent(self.drives[which].facts(row, at[which]))
        elif self._drawn == -1:
            self._panel.show_agent(None)
        self._drawn = frame

    def _wanted(self, drive: Drive) -> tuple:
        """Return the cameras whose images are needed: all in the scene, else the large one."""
        if self._panel.layers["cameras"]:
            return drive.cameras
        return tuple(camera for camera in drive.cameras if camera.name == self._panel.channel)

    def _large_image(self, images: list[dict[str, np.ndarray]]) -> np.ndarray | None:
        channel = self._panel.channel
        found = [(mark, seen[channel]) for mark, seen in zip("AB", images, strict=False) if channel in seen]
        if not found:
            return None
        if len(images) == 1:
            return found[0][1]
        marked = [caption(image, mark) for mark, image in found]
        return beside(*marked) if len(marked) == 2 else marked[0]


def _one_world(first: Drive, second: Drive) -> bool:
    return first.scenario.token == second.scenario.token


def _neighbour(drives: list[Drive], scenes: list[SplatScene]) -> np.ndarray:
    """Return the shift (3,) that puts the world of the second drive to the right of that of the first."""
    right = rotate(np.array([0.0, -1.0]), float(drives[0].ego[0, 2]))
    ends = [_ground(scene) @ right for scene in scenes]
    starts = [drive.ego[0, :2] for drive in drives]
    apart = (ends[0].max() - starts[0] @ right) + (starts[1] @ right - ends[1].min()) + _MARGIN
    return np.append(right * apart - starts[1], 0.0)


def _ground(scene: SplatScene) -> np.ndarray:
    """Return where in the plane the standing parts of a scene are (N, 2), world frame."""
    parts = [
        node.gaussians.means[:, :2] for node in scene.nodes.values() if node.is_static and node.name != SKY
    ]
    return np.concatenate([np.zeros((1, 2)), *parts]) + scene.origin[:2]

"""The controls beside the scene, and what they say about the drives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from simengine.metrics.row import SCORE_COLUMNS, ScoreRow, is_known
from simengine.view.drive import Drive
from simengine.view.nodes import LAYERS
from simengine.view.playback import SPEEDS, Playback

if TYPE_CHECKING:
    from viser import GuiApi

NOTHING = "-"
# The panel is narrow.
_SHORT = {
    "no_at_fault_collisions": "no collision",
    "drivable_area_compliance": "drivable area",
    "ego_progress": "progress",
    "time_to_collision_within_bound": "time to collision",
    "driving_direction_compliance": "direction",
}
_NO_IMAGE = np.full((90, 160, 3), 60, np.uint8)


class Panel:
    """Controls; what a person does with them is handed to `act` as a name and a value.

    Names are `play`, `frame`, `speed`, `loop`, `follow`, `first`, `second`, `camera`, and `layers`.

    Args:
        gui: of the viser server.
        titles: of the drives on offer.
        act: called from threads of the server.
    """

    def __init__(self, gui: GuiApi, titles: Sequence[str], act: Callable[[str, object], None]) -> None:
        self._act = act
        self.status = gui.add_markdown("")
        with gui.add_folder("Playback"):
            self._frame = gui.add_slider("Frame", 0, 1, 1, 0)
            self._play = gui.add_button("Play")
            speeds = [f"{speed:g}x" for speed in SPEEDS]
            self._speed = gui.add_dropdown("Speed", speeds, initial_value="1x")
            self._loop = gui.add_checkbox("Loop", True)
            self._follow = gui.add_checkbox("Follow the ego", True)
        with gui.add_folder("Camera"):
            self._image = gui.add_image(_NO_IMAGE, format="jpeg", jpeg_quality=85)
            self._camera = gui.add_dropdown("Channel", [NOTHING], initial_value=NOTHING)
        with gui.add_folder("Drives"):
            self._first = gui.add_dropdown("Drive", list(titles), initial_value=titles[0])
            self._second = gui.add_dropdown("Compare", [NOTHING, *titles], initial_value=NOTHING)
            self._scores = gui.add_markdown("")
        with gui.add_folder("Agent"):
            self._agent = gui.add_markdown("Click a box in the scene.")
        with gui.add_folder("Show"):
            self._layers = {layer: gui.add_checkbox(layer.capitalize(), True) for layer in LAYERS}
        self._bind()

    @property
    def layers(self) -> dict[str, bool]:
        """Which kinds of nodes are to be shown."""
        return {layer: box.value for layer, box in self._layers.items()}

    @property
    def channel(self) -> str:
        """The camera whose image is shown large."""
        return self._camera.value

    def offer_cameras(self, names: Sequence[str]) -> None:
        """Offer the cameras of a drive; the front camera is taken unless another one was."""
        before = self._camera.value
        self._camera.options = list(names) or [NOTHING]
        for choice in (before, "CAM_F0"):
            if choice in names:
                self._camera.value = choice
                break

    def show_drives(self, first: str, second: str | None) -> None:
        """Let the lists say which drives are shown."""
        self._first.value = first
        self._second.value = second or NOTHING

    def show_playback(self, playback: Playback, frame: int, last: int, speed: float) -> None:
        """Show where the playback is, and how fast the ego goes [m/s]."""
        self._frame.max = max(last, 1)
        self._frame.value = min(frame, max(last, 1))
        label = "Pause" if playback.playing else "Play"
        if self._play.label != label:
            self._play.label = label
        self.status.content = (
            f"**frame {frame} of {last}** &nbsp; {playback.position:.1f} s &nbsp; ego {speed:.1f} m/s"
        )

    def show_scores(self, drives: Sequence[Drive]) -> None:
        """Show what the drives scored."""
        self._scores.content = score_table(drives)

    def show_agent(self, facts: dict[str, str] | None) -> None:
        """Show what there is to say about the selected agent."""
        if facts is None:
            self._agent.content = "Click a box in the scene."
        else:
            self._agent.content = "\n".join(["| | |", "|-|-|", *(f"| {k} | {v} |" for k, v in facts.items())])

    def show_image(self, image: np.ndarray | None) -> None:
        """Show the large camera image (H, W, 3)."""
        self._image.image = _NO_IMAGE if image is None else image

    def _bind(self) -> None:
        self._play.on_click(lambda _: self._act("play", None))
        for name, handle in (
            ("frame", self._frame),
            ("speed", self._speed),
            ("loop", self._loop),
            ("follow", self._follow),
            ("first", self._first),
            ("second", self._second),
            ("camera", self._camera),
            *(("layers", box) for box in self._layers.values()),
        ):
            handle.on_update(self._told(name))

    def _told(self, name: str) -> Callable:
        def on_update(event) -> None:
            # Values that we set ourselves come back without a client.
            if event.client is not None:
                self._act(name, event.target.value)

        return on_update


def score_table(drives: Sequence[Drive]) -> str:
    """Return a Markdown table of the scores of one or two drives, and what went wrong in them."""
    marks = "AB"[: len(drives)]
    lines = [f"| | {' | '.join(marks)} |", "|-|" + "-|" * len(marks)]
    lines += [
        f"| {_SHORT.get(name, name)} | {' | '.join(_value(drive.score, name) for drive in drives)} |"
        for name in SCORE_COLUMNS
    ]
    notes = []
    for mark, drive in zip(marks, drives, strict=True):
        if drive.score is None:
            notes.append(f"{mark}: not scored")
        elif drive.score.blame:
            notes.append(f"{mark}: {drive.score.blame}")
    return "\n".join(lines) + "\n\n" + "\n\n".join(notes)


def _value(score: ScoreRow | None, name: str) -> str:
    if score is None or not is_known(getattr(score, name)):
        return "-"
    return f"{getattr(score, name):.2f}"

"""What the viewer puts on a page, asked of the real viser server; no browser looks at it."""

import io
import itertools
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from simengine.errors import ConfigError, ScenarioFormatError
from simengine.geometry.se3 import rotation_from_quaternion
from simengine.metrics.row import ScoreRow
from simengine.render.cpu_backend import CpuBackend
from simengine.render.lift import lift
from simengine.render.stage import FlatStage
from simengine.view.colours import EGO, OTHER_EGO, SELECTED, agent_colour
from simengine.view.drive import DriveSource
from simengine.view.panel import score_table
from simengine.view.server import close_server, directions, open_server
from simengine.view.viewer import Viewer
from view_factories import make_drive

pytest.importorskip("viser")


def broken() -> None:
    raise ScenarioFormatError("run/records/torn.npz: cannot be read")


SOURCES = [
    DriveSource("run/street", "street", make_drive),
    DriveSource("fast/street", "street", lambda: make_drive("fast/street", 12.0)),
    DriveSource("run/road", "road", lambda: make_drive("run/road", token="road")),
    DriveSource("run/torn", "torn", broken),
]


@pytest.fixture
def server():
    opened = open_server("127.0.0.1", 0)
    yield opened
    close_server(opened)


@pytest.fixture
def viewer(server):
    return Viewer(server, SOURCES, CpuBackend(1), most_splats=2000)


def node(server, name: str):
    return server.scene.get_handle_by_name(f"/world/{name}")


def tell(viewer, name: str, value: object = None) -> None:
    viewer.tell(name, value)
    viewer.step()


def page_position(server, name: str) -> np.ndarray:
    """Where a child of a drive is on the page; the roots do not turn."""
    root = node(server, name.split("/", maxsplit=1)[0]).position
    return server.scene.get_handle_by_name("/world").position + root + node(server, name).position


def test_the_page_has_everything(server, viewer):
    drive = viewer.drives[0]
    for name in ("a/background", "a/map", "a/driven", "a/logged", "a/plan", "a/ego/box"):
        assert node(server, name) is not None, name
    assert len(node(server, "a/background").buffer) == 2000
    for row in range(3):
        box = node(server, f"a/agents/{row}/box")
        assert tuple(box.color) == agent_colour(drive.agents.types[row])
        assert box.dimensions == pytest.approx(drive.agents.size[row])
        assert len(node(server, f"a/agents/{row}/splats").buffer) > 10
    assert tuple(node(server, "a/ego/box").color) == EGO
    assert node(server, "a/sky") is None
    assert node(server, "a/ego/CAM_F0").image.shape == (36, 64, 3)


def test_frusta_look_where_the_cameras_look(server, viewer):
    for camera in viewer.drives[0].cameras:
        handle = node(server, f"a/ego/{camera.name}")
        assert rotation_from_quaternion(handle.wxyz) == pytest.approx(camera.ego_from_cam[:3, :3], abs=1e-6)
        assert handle.position == pytest.approx(camera.ego_from_cam[:3, 3])
        assert handle.aspect == pytest.approx(64 / 36)
        assert np.tan(handle.fov / 2) == pytest.approx(18 / camera.intrinsic[1, 1])


def test_everything_stands_where_the_record_says(server, viewer):
    drive = viewer.drives[0]
    for frame in (0, 17, 40):
        tell(viewer, "frame", frame)
        assert viewer.frame == frame
        # The world moves under the ego, which stays at the origin of the page.
        assert page_position(server, "a/ego")[:2] == pytest.approx([0.0, 0.0], abs=1e-6)
        ahead = drive.agents.pose[0, frame, :2] - drive.ego[frame, :2]
        assert page_position(server, "a/agents/0")[:2] == pytest.approx(ahead)
        assert node(server, "a/agents/1").visible == (frame < 25)


def test_without_following_the_ego_drives_away(server, viewer):
    tell(viewer, "follow", False)
    tell(viewer, "frame", 40)
    assert page_position(server, "a/ego")[:2] == pytest.approx([36.0, 0.0])


def test_camera_images_change_with_the_frame(server, viewer):
    before = node(server, "a/ego/CAM_F0").image.copy()
    tell(viewer, "frame", 40)
    after = node(server, "a/ego/CAM_F0").image
    assert np.abs(before.astype(int) - after).mean() > 1.0


def test_the_plan_is_that_of_the_last_decision(server, viewer):
    tell(viewer, "frame", 7)
    plan = node(server, "a/plan")
    assert plan.points[0, 0, :2] == pytest.approx(viewer.drives[0].ego[5, :2])
    tell(viewer, "frame", 9)
    assert node(server, "a/plan") is plan
    tell(viewer, "frame", 10)
    assert node(server, "a/plan").points[0, 0, 0] > plan.points[0, 0, 0]


def test_playing_shows_one_frame_after_the_other_and_stops_at_the_end(viewer, monkeypatch):
    clock = itertools.count()  # one tick each time that it is looked at
    monkeypatch.setattr("simengine.view.viewer.time", SimpleNamespace(monotonic=lambda: 0.05 * next(clock)))
    tell(viewer, "loop", False)
    tell(viewer, "speed", "4x")
    tell(viewer, "play")
    seen = [viewer.frame]
    while viewer.playback.playing and len(seen) < 100:
        viewer.step()
        seen.append(viewer.frame)
    assert seen == sorted(seen)
    assert sorted(set(seen)) == [*range(2, 41, 2)]
    assert (viewer.frame, viewer.playback.playing) == (40, False)
    tell(viewer, "play")
    assert viewer.playback.playing
    assert viewer.frame < 40
    tell(viewer, "frame", 3)
    assert not viewer.playback.playing


def test_a_clicked_agent_is_marked_and_described_until_clicked_again(server, viewer):
    tell(viewer, "agent", (0, 0))
    assert tuple(node(server, "a/agents/0/box").color) == SELECTED
    assert "ahead/1" in viewer._panel._agent.content
    assert "15.7 m" in viewer._panel._agent.content
    tell(viewer, "frame", 40)
    assert "15.7 m" not in viewer._panel._agent.content
    tell(viewer, "agent", (0, 2))
    assert tuple(node(server, "a/agents/0/box").color) == agent_colour(0)
    assert "pedestrian" in viewer._panel._agent.content
    tell(viewer, "agent", (0, 2))
    assert tuple(node(server, "a/agents/2/box").color) == agent_colour(1)
    assert "Click" in viewer._panel._agent.content


def test_layers_can_be_hidden(server, viewer):
    viewer._panel._layers["boxes"].value = False
    viewer._panel._layers["paths"].value = False
    tell(viewer, "layers")
    assert not node(server, "a/agents/0/box").visible
    assert node(server, "a/agents/0/splats").visible
    tell(viewer, "frame", 10)
    assert not node(server, "a/plan").visible


def test_two_drives_of_one_scenario_share_its_world(server, viewer):
    tell(viewer, "second", "fast/street")
    assert node(server, "b/background") is None
    assert node(server, "b/map") is None
    assert node(server, "b/ego/box").opacity < node(server, "a/ego/box").opacity
    assert tuple(node(server, "b/ego/box").color) == OTHER_EGO
    tell(viewer, "frame", 40)
    apart = page_position(server, "b/ego") - page_position(server, "a/ego")
    assert apart[:2] == pytest.approx([12.0, 0.0])
    # The picture of the camera holds both.
    assert viewer._panel._image.image.shape == (36, 64 + 4 + 64, 3)
    tell(viewer, "second", "-")
    assert node(server, "b/ego/box") is None
    assert viewer._panel._image.image.shape == (36, 64, 3)


def test_drives_of_two_scenarios_lie_beside_each_other(server, viewer):
    tell(viewer, "second", "run/road")
    splats = [node(server, f"{name}/background") for name in "ab"]
    centers = [np.ascontiguousarray(handle.buffer[:, :3]).view(np.float32) for handle in splats]
    placed = [
        points[:, 1] + handle.position[1] + node(server, name).position[1]
        for points, handle, name in zip(centers, splats, "ab", strict=True)
    ]
    assert placed[1].max() < placed[0].min()


def test_another_drive_replaces_the_first(server, viewer):
    tell(viewer, "frame", 20)
    tell(viewer, "agent", (0, 1))
    tell(viewer, "first", "run/road")
    assert [drive.title for drive in viewer.drives] == ["run/road"]
    assert viewer.frame == 0
    assert tuple(node(server, "a/agents/1/box").color) == agent_colour(0)


def test_a_broken_drive_leaves_the_page_as_it_was(server, viewer):
    tell(viewer, "first", "run/torn")
    assert [drive.title for drive in viewer.drives] == ["run/street"]
    assert viewer._panel._first.value == "run/street"
    assert node(server, "a/ego/box") is not None


def test_the_first_drive_must_open(server):
    with pytest.raises(ScenarioFormatError, match="torn"):
        Viewer(server, SOURCES[3:], None)


def test_without_a_backend_only_kept_images_are_shown(server):
    drive = make_drive()
    viewer = Viewer(server, [DriveSource("run/street", "street", lambda: drive)], None, None, 500)
    assert node(server, "a/ego/CAM_F0").image is None
    tell(viewer, "frame", 3)
    assert viewer.frame == 3


def test_scores_stand_beside_each_other():
    scored = ScoreRow(
        "street", "ok", score=0.0, comfort=1.0, blame="collision with ahead/1", first_violation_time=2.8
    )
    table = score_table([replace(make_drive(), score=scored), make_drive("fast/street")])
    assert "| | A | B |" in table
    assert "| score | 0.00 | - |" in table
    assert "| progress | - | - |" in table
    assert "A: collision with ahead/1" in table
    assert "B: not scored" in table


def test_a_taken_port_and_a_strange_host_are_said(server):
    port = server.get_port()
    with pytest.raises(ConfigError, match=f"127.0.0.1:{port}"):
        open_server("127.0.0.1", port)
    with pytest.raises(ConfigError, match="no address of this machine"):
        open_server("no-such-host.invalid", 0)
    with pytest.raises(ConfigError, match="0 to 65535"):
        open_server("127.0.0.1", 70000)


def test_a_missing_library_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(ConfigError, match=r"simengine\[view\]"):
        open_server("127.0.0.1", 0)


def test_the_way_over_ssh_is_said():
    text = "\n".join(directions("0.0.0.0", 8080))
    assert "http://localhost:8080" in text
    assert "ssh -L 8080:localhost:8080 " in text


class HighStage(FlatStage):
    """A scene whose ground lies two metres up and rises with x."""

    def world_from_ego(self, ego_pose):
        transform = super().world_from_ego(ego_pose)
        transform[2, 3] = 2.0 + 0.1 * ego_pose[0]
        return transform


def test_everyone_stands_on_the_ground_of_the_scene(server):
    drive = replace(make_drive(), open_scene=lambda scenario: HighStage(scenario, lift(scenario)))
    viewer = Viewer(server, [DriveSource("run/street", "street", lambda: drive)], None, None, 500)
    tell(viewer, "frame", 10)
    for name, x in (("a/ego", drive.ego[10, 0]), ("a/agents/0", drive.agents.pose[0, 10, 0])):
        assert node(server, name).position[2] == pytest.approx(2.0 + 0.1 * x)
    plan = node(server, "a/plan").points
    assert plan[..., 2] == pytest.approx(2.2 + 0.1 * plan[..., 0], abs=1e-4)


def test_kept_images_are_those_of_the_last_decision(server):
    def jpeg(level: int) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (64, 36), (level, level, level)).save(buffer, "JPEG")
        return buffer.getvalue()

    drive = replace(make_drive(), recorded={0: {"CAM_F0": jpeg(40)}, 5: {"CAM_F0": jpeg(200)}})
    viewer = Viewer(server, [DriveSource("run/street", "street", lambda: drive)], None, None, 500)
    front = node(server, "a/ego/CAM_F0")
    assert front.image.mean() == pytest.approx(40, abs=2)
    tell(viewer, "frame", 4)
    assert front.image.mean() == pytest.approx(40, abs=2)
    tell(viewer, "frame", 9)
    assert front.image.mean() == pytest.approx(200, abs=2)
    assert node(server, "a/ego/CAM_B0").image is None

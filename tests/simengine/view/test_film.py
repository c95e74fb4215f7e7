"""Films: what is in their frames, and the files read back."""

import sys

import numpy as np
import pytest
from PIL import Image

from simengine.errors import ConfigError
from simengine.render.cpu_backend import CpuBackend
from simengine.view import video
from simengine.view.birdseye import draw_birdseye
from simengine.view.colours import EGO, PLAN, agent_colour
from simengine.view.film import film, pick_cameras
from simengine.view.images import CameraImages
from simengine.view.montage import beside, even, tile
from simengine.view.video import write_video
from view_factories import make_drive


@pytest.fixture(scope="module")
def drive():
    return make_drive()


@pytest.fixture(scope="module")
def images(drive):
    return CameraImages(drive, CpuBackend(1))


def gradients(count: int, height: int = 48, width: int = 64):
    """Frames that get brighter, so that their order can be told."""
    for k in range(count):
        yield np.full((height, width, 3), 20 + 200 * k // count, np.uint8)


def test_frames_of_an_mp4_can_be_read_back(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "new" / "a.mp4"
    assert write_video(path, gradients(12), 10.0) == 12
    with av.open(str(path)) as stored:
        stream = stored.streams.video[0]
        assert (stream.width, stream.height, stream.codec_context.pix_fmt) == (64, 48, "yuv420p")
        assert stream.average_rate == 10
        levels = [frame.to_ndarray(format="rgb24").mean() for frame in stored.decode(stream)]
    assert levels == pytest.approx([frame.mean() for frame in gradients(12)], abs=3.0)


def test_frames_of_a_gif_can_be_read_back(tmp_path):
    path = tmp_path / "a.gif"
    assert write_video(path, gradients(7), 10.0) == 7
    with Image.open(path) as stored:
        assert (stored.n_frames, stored.size, stored.info["duration"]) == (7, (64, 48), 100)
        levels = []
        for k in range(7):
            stored.seek(k)
            levels.append(np.asarray(stored.convert("RGB")).mean())
    assert levels == pytest.approx([frame.mean() for frame in gradients(7)], abs=3.0)


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_an_interrupted_film_leaves_what_was_there(tmp_path, name):
    def interrupted():
        yield from gradients(3)
        raise KeyboardInterrupt

    (tmp_path / name).write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt):
        write_video(tmp_path / name, interrupted(), 10.0)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"before"


def test_an_unknown_ending_and_a_missing_library_are_said(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"ends with \.mp4 or \.gif"):
        video.check_video(tmp_path / "a.avi")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigError, match=r"simengine\[view\]"):
        video.check_video(tmp_path / "a.mp4")
    video.check_video(tmp_path / "a.gif")


def test_a_film_has_a_picture_per_frame_with_even_sides(drive, images):
    pictures = list(film(drive, images, pick_cameras(drive, "CAM_F0,CAM_B0"), birdseye=True))
    assert len(pictures) == drive.num_frames
    assert {picture.shape for picture in pictures} == {(36, 64 + 4 + 64 + 4 + 36, 3)}
    assert not np.array_equal(pictures[0], pictures[-1])


def test_cameras_are_rendered_where_the_ego_is(drive, images):
    front = pick_cameras(drive, "CAM_F0")
    (near, far) = (images.at(frame, front)["CAM_F0"] for frame in (0, 40))
    assert near.shape == (36, 64, 3)
    assert np.abs(near.astype(int) - far).mean() > 1.0
    bare = next(iter(film(drive, images, front, birdseye=False, captions=False)))
    assert np.array_equal(bare, near)


def test_all_cameras_stand_around_an_empty_middle(drive, images):
    picture = next(iter(film(drive, images, pick_cameras(drive, "all"), birdseye=False)))
    assert picture.shape == (3 * 36 + 2 * 4, 3 * 64 + 2 * 4, 3)
    middle = picture[40:76, 68:132]
    assert (middle == middle[0, 0]).all()


def test_wrong_cameras_are_said(drive, images):
    with pytest.raises(ConfigError, match="CAM_X"):
        pick_cameras(drive, "CAM_F0,CAM_X")
    assert [camera.name for camera in pick_cameras(drive, "CAM_B0, CAM_F0,CAM_B0")] == ["CAM_B0", "CAM_F0"]
    with pytest.raises(ConfigError, match="show nothing"):
        next(film(drive, images, (), birdseye=False))
    with pytest.raises(ConfigError, match="kept no images of CAM_F0"):
        next(film(drive, CameraImages(drive, None), pick_cameras(drive, "CAM_F0"), birdseye=False))


def test_from_above_the_ego_stands_below_the_middle_and_everyone_has_a_colour(drive):
    image = draw_birdseye(drive, 0, 320, 80.0)
    rows, columns = np.nonzero((image == EGO).all(-1))
    vehicle = drive.scenario.vehicle
    # 4 px per metre; the box begins a metre behind the rear axle, which is 35 % above the lower edge.
    assert rows.max() == pytest.approx(
        320 * 0.65 + 4 * (0.5 * vehicle.length - vehicle.rear_axle_to_center), abs=4
    )
    assert columns.mean() == pytest.approx(160, abs=2)
    for colour in (PLAN, agent_colour(0), agent_colour(1)):
        assert (image == colour).all(-1).sum() > 2


def test_pictures_side_by_side():
    low, high = np.zeros((4, 6, 3), np.uint8), np.full((8, 3, 3), 255, np.uint8)
    assert beside(low, high).shape == (8, 6 + 4 + 3, 3)
    assert (beside(low, high)[2:6, :6] == 0).all()
    assert tile([low, low, low], 2).shape == (4 + 4 + 4, 6 + 4 + 6, 3)
    assert even(np.zeros((5, 7, 3), np.uint8)).shape == (6, 8, 3)

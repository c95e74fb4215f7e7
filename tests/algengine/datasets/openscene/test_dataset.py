"""Samples of OpenScene frames against what the files were made from."""

import pickle

import numpy as np
import pytest
import torch

from algengine.datasets.collate import planning_collate
from algengine.errors import RecordingError
from algengine.heads.sub_score_heads import SUB_SCORES
from algengine.registry import DATASETS
from openscene_factories import CAMERAS, SPEED, OpenScene, arc_pose, dump, make_info, matrix, pattern
from simengine.errors import ScenarioFormatError


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return OpenScene(tmp_path_factory.mktemp("openscene"))


def build(scene, **changes):
    return DATASETS.build(scene.options(**changes))


def relative(here, there):
    """Pose `there` in the ego frame `here`, by matrices."""
    m = np.linalg.inv(matrix(here)) @ matrix(there)
    return np.array([m[0, 3], m[1, 3], np.arctan2(m[1, 0], m[0, 0])])


def test_samples_follow_the_split_and_have_the_planners_inputs(scene):
    data = build(scene, pdm_path=str(scene.pdm))
    assert data.tokens == scene.tokens
    shapes = {k: tuple(v.shape) for k, v in data[0]["inputs"].items()}
    assert shapes == {
        "images": (4, 2, 18, 32, 3), "intrinsic": (2, 3, 3), "cam_from_ego": (2, 4, 4), "distortion": (2, 12),
        "motion": (4, 3), "history": (4, 4, 3), "velocity": (4, 4, 2), "acceleration": (4, 4, 2), "command": (4, 4),
        "history_valid": (4, 4), "can_bus": (4, 18), "heading": (4,),
    }  # fmt: skip
    assert data[0]["inputs"]["images"].dtype == torch.uint8
    batch = planning_collate([data[0], data[1]])
    assert batch["inputs"]["images"].shape == (2, 4, 2, 18, 32, 3)
    assert [s.metainfo["token"] for s in batch["data_samples"]] == scene.tokens[:2]


def test_status_is_what_the_frames_were_made_from(scene):
    inputs = build(scene)[1]["inputs"]  # frame 7 of the first log, queue 4 to 7
    poses = [arc_pose(0.5 * i) for i in range(20)]
    history = np.stack([relative(poses[7], poses[i]) for i in range(4, 8)])
    np.testing.assert_allclose(inputs["history"][-1], history, atol=1e-5)
    np.testing.assert_allclose(
        inputs["history"][0], [relative(poses[4], poses[i]) for i in range(1, 5)], atol=1e-5
    )
    np.testing.assert_allclose(inputs["motion"][0], 0.0)
    np.testing.assert_allclose(inputs["motion"][2], relative(poses[5], poses[6]), atol=1e-5)
    np.testing.assert_allclose(inputs["velocity"][-1], [[SPEED, 0.0]] * 4)
    np.testing.assert_allclose(inputs["acceleration"][-1][:, 0], [0.4, 0.5, 0.6, 0.7], atol=1e-6)
    assert inputs["command"][-1].tolist() == [1, 2, 0, 1]
    assert inputs["history_valid"].all()
    np.testing.assert_allclose(inputs["heading"], [poses[i][2] for i in range(4, 8)], atol=1e-6)


def test_images_and_calibrations_are_those_of_the_cameras_asked_for(scene):
    inputs = build(scene, cameras=CAMERAS[::-1])[0]["inputs"]
    for q in range(4):
        for n, camera in enumerate((1, 0)):
            big = pattern(10 * (1 + q) + camera, (64, 36)).astype(float)
            small = big.reshape(18, 2, 32, 2, 3).mean((1, 3))
            assert np.abs(inputs["images"][q, n].numpy() - small).mean() < 4.0
    forward = build(scene)[0]["inputs"]
    for name in ("intrinsic", "cam_from_ego", "distortion"):
        assert torch.equal(inputs[name], forward[name].flip(0))
    info = make_info("x", 0)["cams"]["CAM_F0"]
    np.testing.assert_allclose(forward["intrinsic"][0][:2], info["cam_intrinsic"][:2] / 2, rtol=1e-6)
    ego_from_cam = np.linalg.inv(forward["cam_from_ego"][0].numpy())
    np.testing.assert_allclose(
        ego_from_cam[:3, 3] - [0, 0, 0.38], info["sensor2lidar_translation"], atol=1e-5
    )


def test_the_future_comes_from_frames_and_beyond_them_from_the_file(scene):
    sample = build(scene)[2]["data_samples"]  # frame 10 of 16: five frames follow, the file knows eight
    assert sample.metainfo["token"].endswith("_10")
    here = arc_pose(5.0)
    for k in (5, 25, 30, 40):
        np.testing.assert_allclose(
            sample.gt_trajectory[-1, k - 1], relative(here, arc_pose(5.0 + 0.1 * k)), atol=2e-4
        )
    assert sample.gt_valid.all()
    # Between two poses the chord of the arc is cut by 6 cm at most: v^2 dt^2 k / 8 = 0.011 m.
    np.testing.assert_allclose(sample.gt_trajectory[-1, 1], relative(here, arc_pose(5.2)), atol=0.02)


def test_an_unknown_future_is_not_valid(tmp_path):
    infos = [make_info("2021.log-a", i, future_frames=3) for i in range(6)]
    scene = OpenScene(tmp_path, frames=6)
    ann_file = dump(tmp_path / "short.pkl", {"infos": infos})
    data = build(scene, ann_file=str(ann_file), nav_filter_path=None)
    valid = data[len(data) - 1]["data_samples"].gt_valid
    assert valid[-1].tolist() == [True] * 15 + [False] * 25
    # The frame before that has one frame after it, and two poses more.
    assert valid[-2].tolist() == [True] * 15 + [False] * 25


def test_frames_without_a_queue_are_left_out_of_training_and_padded_in_tests(scene):
    everything = build(scene, nav_filter_path=None)
    assert len(everything) == 2 * 13
    data = build(scene, nav_filter_path=None, test_mode=True)
    assert len(data) == 32
    inputs = data[1]["inputs"]
    assert torch.equal(inputs["images"][0], inputs["images"][2])
    assert not torch.equal(inputs["images"][2], inputs["images"][3])
    assert inputs["history_valid"][-1].tolist() == [False, False, True, True]
    np.testing.assert_allclose(inputs["motion"][:3], 0.0)


def test_a_gap_in_time_ends_a_queue(tmp_path, scene):
    kept = [info for info in scene.infos if info["frame_idx"] != 8]
    ann_file = dump(tmp_path / "gap.pkl", kept)
    data = build(scene, ann_file=str(ann_file), nav_filter_path=None)
    assert sorted({int(token[-2:]) for token in data.tokens}) == [*range(3, 8), *range(12, 16)]


@pytest.mark.parametrize("kind", ["pickle", "ours"])
def test_sub_scores_come_from_either_cache(scene, tmp_path, kind):
    path = scene.pdm
    if kind == "ours":
        from rewards_factories import make_vocabulary
        from simengine.rewards.cache_index import CacheIndex, save_index
        from simengine.rewards.cache_pickle import import_cache

        path, vocabulary = tmp_path / "cache", make_vocabulary()
        keys = import_cache(scene.pdm, path, vocabulary, "navsim_v1")
        save_index(path, CacheIndex.of(vocabulary, "navsim_v1").with_keys(keys, imported=True))
    sample = build(scene, pdm_path=str(path))[2]["data_samples"]  # frame 10, its queue starts with frame 7
    assert sample.gt_sub_scores.shape == (4, len(SUB_SCORES), 12)
    for row, name in enumerate(SUB_SCORES):
        np.testing.assert_array_equal(sample.gt_sub_scores[-1, row], scene.scores[scene.tokens[2]][name])
        np.testing.assert_array_equal(sample.gt_sub_scores[0, row], scene.scores[scene.tokens[1]][name])
    assert sample.gt_sub_scores[1:3].isnan().all()
    assert "gt_sub_scores" in sample


def test_tokens_without_scores_are_left_out_of_training(scene, tmp_path):
    some = {token: scene.scores[token] for token in scene.tokens[1:]}
    path = dump(tmp_path / "some.pkl", some)
    assert build(scene, pdm_path=str(path)).tokens == scene.tokens[1:]
    assert "gt_sub_scores" not in build(scene, pdm_path=str(path), test_mode=True)[0]["data_samples"]
    assert len(build(scene, pdm_path=str(tmp_path / "none.pkl"))) == len(scene.tokens)


def test_every_image_is_decoded_once_while_frames_share_it(scene):
    data = build(scene, nav_filter_path=None)
    for i in range(5):
        data[i]
    store = data.store(data.items[0].frame)
    assert store.reads == (4 + 4) * 2  # four frames, then one new one each time
    small = build(scene, nav_filter_path=None, cached_images=3)
    small[0]
    assert len(small.store(small.items[0].frame)) == 3


def test_published_tensors(scene):
    data = build(scene, published=True)
    inputs = data[1]["inputs"]
    info = scene.infos[7]
    np.testing.assert_allclose(
        inputs["sdc_planning"], info["gt_fut_bbox_sdc_lidar"][..., [0, 1, 6]], atol=1e-5
    )
    np.testing.assert_allclose(
        inputs["sdc_planning_past"], info["gt_pre_bbox_sdc_lidar"][..., [0, 1, 6]], atol=1e-5
    )
    assert inputs["sdc_planning_mask"].shape == (1, 8, 2) and inputs["sdc_planning_mask"].all()
    assert inputs["sdc_planning_mask_past"].shape == (1, 3, 4) and inputs["sdc_planning_mask_past"].all()
    assert inputs["gt_pre_command_sdc"].flatten().tolist() == [1, 2, 0]
    assert inputs["sdc_status"].tolist() == [0.0, 0.0, 0.0]
    assert inputs["lidar2img"].shape == (4, 2, 4, 4)
    # A point 10 m in front of the camera lands in the middle of the small image.
    entry = info["cams"]["CAM_F0"]
    point = entry["sensor2lidar_rotation"] @ [0, 0, 10.0] + entry["sensor2lidar_translation"]
    u, v, w, _ = inputs["lidar2img"][-1, 0].numpy() @ [*point, 1.0]
    half = entry["cam_intrinsic"][:2, 2] / 2
    np.testing.assert_allclose([u / w, v / w], half, rtol=1e-4)


def test_published_tensors_are_made_where_the_file_has_none(scene, tmp_path):
    stripped = [
        {k: v for k, v in info.items() if not k.startswith(("gt_pre", "gt_fut"))} for info in scene.infos
    ]
    ann_file = dump(tmp_path / "raw" / "all.pkl", stripped)
    with_keys = build(scene, published=True)[0]["inputs"]
    made = build(scene, published=True, ann_file=str(ann_file))[0]["inputs"]
    for name in ("sdc_planning", "sdc_planning_past"):
        np.testing.assert_allclose(made[name], with_keys[name], atol=1e-4)
    assert torch.equal(made["gt_pre_command_sdc"], with_keys["gt_pre_command_sdc"])


def test_a_folder_of_logs_is_read_as_far_as_the_split_goes(scene, tmp_path):
    for log in scene.logs:
        dump(tmp_path / f"{log}.pkl", [info for info in scene.infos if info["log_name"] == log])
    (tmp_path / "other.pkl").write_bytes(b"not read")
    assert build(scene, ann_file=str(tmp_path)).tokens == scene.tokens


def test_missing_pieces_are_named(scene, tmp_path):
    with pytest.raises(RecordingError, match="nowhere.pkl does not exist, expected a pickled list"):
        build(scene, ann_file=str(tmp_path / "nowhere.pkl"))
    with pytest.raises(RecordingError, match=r"16 of 16 tokens|8 of 8 tokens|of .* are not in .*small.pkl"):
        build(scene, ann_file=str(dump(tmp_path / "small.pkl", scene.infos[:2])))
    with pytest.raises(RecordingError, match="has cameras .* expected also .'CAM_X'.: "):
        build(scene, cameras=("CAM_F0", "CAM_X"))[0]
    with pytest.raises(
        RecordingError, match=f"frame {scene.tokens[0]}: no image .*01.jpg|no image .*jpg.*set img_root"
    ):
        build(scene, img_root=str(tmp_path))[0]
    broken = dict(scene.infos[0])
    del broken["can_bus"]
    with pytest.raises(RecordingError, match=f"frame '{broken['token']}' has no 'can_bus'"):
        build(scene, ann_file=str(dump(tmp_path / "broken.pkl", [broken])), nav_filter_path=None)
    bad = scene.infos[0] | {"can_bus": np.zeros(3)}
    with pytest.raises(RecordingError, match=r"is malformed .*\(3,\).*\(18,\)"):
        build(scene, ann_file=str(dump(tmp_path / "bad.pkl", [bad])), nav_filter_path=None)
    with pytest.raises(RecordingError, match="holds a str, expected a list"):
        build(scene, ann_file=str(dump(tmp_path / "text.pkl", "text")))


def test_a_pickle_that_runs_code_is_refused(scene, tmp_path):
    class Evil:
        def __reduce__(self):
            return print, ("ran",)

    path = tmp_path / "evil.pkl"
    path.write_bytes(pickle.dumps([Evil()]))
    with pytest.raises(ScenarioFormatError, match="print"):
        build(scene, ann_file=str(path))


def test_a_broken_image_is_named(scene, tmp_path):
    copy = OpenScene(tmp_path)
    path = copy.img_root / copy.infos[4]["cams"]["CAM_B0"]["data_path"]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(RecordingError, match=r"04.jpg cannot be decoded"):
        build(copy)[0]

"""Our simulator, exported as `openscene-synthetic` and read back: the same poses, images and cameras as recorded."""

import numpy as np
import pytest

from algengine.datasets.openscene.synthetic import SyntheticData
from algengine.errors import RecordingError
from algengine.registry import DATASETS
from openscene_factories import SIZE, OpenScene, drive_arcs, write_filter
from simengine.datatypes.observation_log import ObservationLog
from simengine.export.layout import openscene_of
from simengine.export.synthetic import export_run
from simengine.export.tables import write_tables
from synthetic_reader import SyntheticSet


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    root = tmp_path_factory.mktemp("arc")
    run = root / "models" / "arcs"
    drive_arcs(run, ("arc_0", "arc_1"))
    write_tables(openscene_of(run), "NR", [])
    report = export_run(run, None, root / "openscene-synthetic")
    return run, root / "openscene-synthetic", report.name


def test_round_trip(exported):
    run, root, name = exported
    logs = {log.token: log for log in map(ObservationLog.load, (run / "observations").glob("*.npz"))}
    data = DATASETS.build(
        {
            "type": "OpenSceneDataset",
            "ann_file": str(root / "meta_datas" / name),
            "img_root": str(root / "sensor_blobs" / name),
            "image_size": SIZE,
            "test_mode": True,
        }
    )
    recorded = DATASETS.build(
        {
            "type": "RecordingDataset", "root": str(run / "observations"), "part": "all", "clip_length": 4,
            "clip_stride": 1, "image_size": SIZE, "min_future": 0,
        }
    )  # fmt: skip
    clips = {
        (s["data_samples"].metainfo["token"], s["data_samples"].metainfo["first_frame"]): s for s in recorded
    }
    compared = 0
    for sample in data:
        first = sample["data_samples"].metainfo["first_frame"] - 3  # the first decision is frame 3
        token = "arc_" + sample["data_samples"].metainfo["token"].split("-")[1]
        clip = clips.get((token, first))
        if clip is None or first < 0:
            continue
        compared += 1
        ours, theirs = sample["inputs"], clip["inputs"]
        for key in ("intrinsic", "cam_from_ego", "distortion"):
            np.testing.assert_allclose(ours[key], theirs[key], atol=1e-5, err_msg=key)
        for key in ("motion", "history"):
            np.testing.assert_allclose(ours[key], theirs[key], atol=1e-4, err_msg=key)
        assert (ours["command"] == theirs["command"]).all()
        np.testing.assert_allclose(ours["velocity"], theirs["velocity"], atol=1e-4)
        gap = np.abs(ours["images"].numpy().astype(float) - theirs["images"].numpy())
        assert gap.mean() < 3.0  # two JPEG files of quality 92 and 95
        both = sample["data_samples"].gt_valid & clip["data_samples"].gt_valid
        future = sample["data_samples"].gt_trajectory - clip["data_samples"].gt_trajectory
        assert both.any() and future[..., 4::5, :][both[..., 4::5]].abs().max() < 1e-3
        pose = logs[token].ego_pose[first + 3]
        assert abs(float(ours["heading"][-1]) - pose[2]) < 1e-5
    assert compared == 2 * 5


@pytest.mark.parametrize("customized_filter", ["none", "v1", "v2"])
def test_selection_is_that_of_the_description(exported, customized_filter):
    _, root, name = exported
    data, reader = SyntheticData(root, name), SyntheticSet(root, name, 12)
    failures = {info["log_name"].split("-")[2] for info in reader.infos}
    expected = [reader.infos[i]["token"] for i in reader.select(failures, customized_filter)]
    chosen = data.select(failures, customized_filter)
    assert [frame.token for frame in chosen] == expected
    for frame in chosen[:3]:
        info = next(i for i in reader.infos if i["token"] == frame.token)
        for column, values in reader.metrics(info).items():
            np.testing.assert_allclose(data.rewards(frame)[column], values, atol=1e-6)
    assert data.select({"another"}, customized_filter) == []


def test_simulated_drives_beside_logged_frames(exported, tmp_path):
    _, root, name = exported
    scene = OpenScene(tmp_path)
    simulated = {"data_root": str(root), "folder_name": [name], "decision_frames": (3,)}
    cotrain = DATASETS.build(scene.options(pdm_path=str(scene.pdm), simulated={**simulated, "cotrain": True}))
    assert cotrain.fail_mask.tolist() == [-1, -1] + [0] * len(scene.tokens)
    sample = cotrain[0]["data_samples"]
    assert not sample.gt_valid.any()  # rewards only
    assert sample.gt_sub_scores.shape == (4, 5, 12) and not sample.gt_sub_scores[-1].isnan().any()
    assert cotrain[2]["data_samples"].gt_valid[-1].all()
    with pytest.raises(RecordingError, match="no data set 'absent'"):
        DATASETS.build(scene.options(simulated={**simulated, "folder_name": "absent"}))


def test_failures_get_normal_frames_of_their_log(tmp_path):
    scene = OpenScene(tmp_path)
    failed = [scene.tokens[0], scene.tokens[-1]]
    split = write_filter(tmp_path / "failed.yaml", failed, list(scene.logs))
    data = DATASETS.build(scene.options(finetune={"yaml": str(split), "normal_ratio": 2}))
    assert data.tokens[:2] == failed and data.fail_mask.tolist() == [1, 1, 0, 0, 0, 0]
    assert [item.frame.log_name for item in data.items[2:]] == [scene.logs[0]] * 2 + [scene.logs[1]] * 2
    assert not set(data.tokens[2:]) & set(failed)
    again = DATASETS.build(scene.options(finetune={"yaml": str(split), "normal_ratio": 2}))
    assert again.tokens == data.tokens
    only = DATASETS.build(scene.options(finetune={"yaml": str(split), "normal_only": True}))
    assert only.fail_mask.tolist() == [0, 0]

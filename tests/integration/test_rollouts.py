"""The preset `rollout` from command line to training data: every ego, and both kinds of readers."""

import pickle

import numpy as np
import pytest

from rewards_factories import save_plans, write_scenarios
from simengine.cli.main import main
from simengine.config.build import check
from simengine.config.compose import compose_run
from simengine.datatypes.observation_log import ObservationLog
from simengine.errors import ConfigError
from synthetic_reader import SyntheticSet

PLANS = 12


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("rollouts")
    write_scenarios(root / "scenarios" / "busy", 2)
    save_plans(root / "plans.npy")
    return root


def roll_out(place, ego, *more):
    run = place / "runs" / ego / "busy_NR"
    words = (
        f"ego={ego}", "split=busy", f"scenario_root={place / 'scenarios'}", f"output_dir={run}", "render.width_px=32",
        "render.height_px=18", f"rewards.vocabulary={place / 'plans.npy'}", *more,
    )  # fmt: skip
    assert main(["run", "--config-name", "rollout", *words]) == 0
    return run


@pytest.mark.slow
@pytest.mark.parametrize("ego", ["log_replay", "idm", "pdm_closed", "recovery"])
def test_every_ego_becomes_training_data(place, ego, capsys):
    run = roll_out(place, ego)
    assert main(["export", str(run), "--root", str(place / "out")]) == 0
    data = SyntheticSet(place / "out", f"{ego}_busy_NR", PLANS)
    assert [info["frame_idx"] for info in data.infos] == 2 * list(range(12))
    assert data.select({"token_0", "token_1"}, "v2") == [3, 15]
    assert all(
        data.image(data.infos[k], camera).is_file() for k in (0, 23) for camera in data.infos[k]["cams"]
    )
    log = ObservationLog.load(run / "observations" / "token_0.npz")
    # Eight decisions, each with four seconds after it.
    assert (len(log.ego_states) - 1 - log.decision_frames).tolist() == [75 - 5 * k for k in range(8)]
    driven = np.stack([info["ego2global"][:2, 3] for info in data.infos[3:11]])
    assert driven == pytest.approx(log.ego_pose[:, :2])


@pytest.mark.mm
@pytest.mark.slow
def test_recordings_are_read_by_the_planners(place):
    from algengine.datasets.recordings import RecordingDataset

    run = roll_out(place, "recovery")
    dataset = RecordingDataset(str(run / "observations"), part="all", image_size=(32, 18))
    sample = dataset[0]
    assert sample["inputs"]["images"].shape[:2] == (4, 8)
    assert sample["data_samples"].gt_valid.all()


@pytest.mark.slow
def test_a_longer_look_ahead_does_not_change_scores(place):
    long = roll_out(place, "idm")
    roll_out(place, "idm", "protocol.lookahead=1.0", f"output_dir={place / 'short'}")
    tables = [
        (folder / "WE_output/openscene_format/all_scenes_pdm_averages_NR.csv").read_text()
        for folder in (long, place / "short")
    ]
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_a_run_that_starts_over_keeps_nothing_of_the_last(place):
    run = roll_out(place, "log_replay")
    format_ = run / "WE_output" / "openscene_format"
    first = pickle.loads((format_ / "meta_datas" / "log-1-token_0.pkl").read_bytes())
    roll_out(place, "log_replay", "resume=false", "num_scenarios=1")
    assert [path.name for path in (format_ / "meta_datas").iterdir()] == ["log-1-token_0.pkl"]
    assert not list((format_ / "pdms_pkl").glob("*token_1*"))
    again = pickle.loads((format_ / "meta_datas" / "log-1-token_0.pkl").read_bytes())
    assert [frame["token"] for frame in first] == [frame["token"] for frame in again]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("render.backend=none", "record.openscene needs images"),
        ("protocol.history_dt=0.2", "one rate of frames"),
        ("protocol.history_length=3", "expected 4"),
        ("recovery.driver=ghost", "expected one of auto"),
        ("recovery.lateral=-1", "none below 0"),
    ],
)
def test_what_does_not_go_together(override, words):
    with pytest.raises(ConfigError, match=words):
        check(compose_run([override], "rollout"))

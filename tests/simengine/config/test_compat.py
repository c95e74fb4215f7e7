"""The original's flat keys: each of them is accepted, and says what becomes of it."""

from pathlib import Path

import pytest

from simengine.cli.main import main
from simengine.config.build import check, output_dir
from simengine.config.compat import PRESET, TABLE
from simengine.config.compose import compose_noted, compose_run
from simengine.errors import ConfigError

# Sections 8.2 and 8.3 of the description: every key, its default, and whether the original reads it.
RUNNER = """
debug_mode=true - debug_scene_name=null - debug_static_world=true -
data_file_folder_path=data/sim_engine/scenarios/original/navtest_failures/ S data_pkl_file_name=all_scenarios.pkl S
data_file_path=data/sim_engine/scenarios/original/navtest_failures/all_scenarios.pkl S
asset_folder_path=data/sim_engine/assets/ S data_output_dir=exp/simulation/test/openscene_format S
number_of_gpus_allocated_per_simulation=1 S number_of_cpus_allocated_per_simulation=16 S exit_on_failure=false S
distributed_mode=SINGLE_NODE S worker_id_prefix=split_ S env=base_env S frame_rate=0.5 S planning_frame_rate=0.5 S
no_map=false S store_map=false S ego_vehicle_type=pacifica S other_vehicle_type=pacifica S destination=[0,100] S
ego_controller=two_stage_controller S ego_policy=dbg_ego_policy S ego_navigation=ego_lane_navigation S
ego_client=base_client S agent_controller=log_play_controller S agent_policy=trajectory_policy S
agent_navigation=trajectory_navigation S nuplan_map_root=data/raw/nuplan/dataset/maps S
DISTANCE_WANTED=10 S TIME_WANTED=1.5 S DELTA=4 S NORMAL_SPEED=35 S ACC_FACTOR=2.5 S DEACC_FACTOR=-2.5 S TIME_STAMPS=5 S
dt=0.5 S LANE_CHANGE_FREQ=50 - LANE_CHANGE_SPEED_INCREASE=10 - SAFE_LANE_CHANGE_DISTANCE=15 - MAX_LONG_DIST=30 -
MAX_SPEED=100 - CREEP_SPEED=5 - DELTA_SPEED=5 - DELTA_RANGE=[3.5,4.5] - tracker=lqr S motion_model=kinematic_bicycle S
q_longitudinal=[10] S r_longitudinal=[1] S q_lateral=[5,10,1] S r_lateral=[3] S discretization_time=0.1 S
tracking_horizon=10 S jerk_penalty=1e-4 S curvature_rate_penalty=1e-2 S stopping_proportional_gain=0.5 S
stopping_velocity=0.2 S accel_time_constant=0.2 S steering_angle_time_constant=0.05 S visualize_BEV=false S
visualize_video=false S NC_DAC_video_capture=false S save_data=false S use_planner_actions=false S
planner_data_path=null S planner_client_folder=null S with_render_manager=true S with_data_manager=true S
with_metric_manager=false S with_dense_reward_manager=false S num_history=4 S num_future=8 S sampling_poses=8 S
buffer_size=9 S reward_sampling_poses=8 S reward_buffer_size=9 S enable_resume=false S
completed_scenarios_dir=exp/simulation/test/completed_scenarios S
"""
COMMON = """
distributed_timeout_seconds=7200 S group=exp S experiment_name=simulation S job_name=test S experiment=simulation/test S
output_dir=exp/simulation/test S runner_report_file=runner_report.json S max_step=1000000 S decision_repeat=1 S
selected_simulation_metrics=null - verbose=true - date_format=x - experiment_uid=null - metric_dir=x -
aggregator_metric_dir=x - log_config=true - seed=0 - enable_profiling=false - gpu=true - log_level=critical -
logger_format_string=x - renderer=mtgs S renderer.enable_collider=false - renderer.render_depth=false S
renderer.rasterize_mode=antialiased S renderer.radius_clip=0.0 S renderer.background_color=black S
renderer.device=cuda S worker=ray_distributed S worker.master_node_ip=null S worker.threads_per_node=null S
worker.debug_mode=false S worker.log_to_driver=true S worker.logs_subdir=logs S worker.use_distributed=false S
"""
KEYS = {
    word.split("=")[0]: (word, read == "S")
    for text in (RUNNER, COMMON)
    for word, read in zip(text.split()[::2], text.split()[1::2], strict=True)
}


def test_the_table_has_the_keys_of_the_description_and_no_others():
    assert sorted(TABLE) == sorted(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_accepted_at_its_default_and_changes_nothing(key):
    word, _ = KEYS[key]
    composed = compose_noted([word], PRESET)
    assert composed.run == compose_run([], PRESET)
    (note,) = composed.notes
    assert note.startswith(f"{key}=")
    assert (" has no effect: " in note) == (TABLE[key].ours is None)
    assert " becomes " in note or note.split(" has no effect: ")[1]


@pytest.mark.parametrize("key", [key for key, (_, read) in KEYS.items() if not read])
def test_keys_that_the_original_does_not_read_have_no_effect_here_either(key):
    # The seed is the exception: scenarios are seeded here.
    assert (TABLE[key].ours is None) == (key != "seed")


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        ("data_file_folder_path=a/b/c", {"scenario_root": "a/b", "split": "c"}),
        ("data_file_folder_path=a/b data_file_path=x/y/all_scenarios.pkl", {"scenario_root": "x", "split": "y"}),
        ("group=g job_name=j", {"output_dir": "g/simulation/j", "data_output_dir": "g/simulation/j/openscene_format"}),
        ("experiment=e", {"output_dir": "exp/e"}),
        ("output_dir=o/__WORKER_ID__/WE_output", {"data_output_dir": "o/WE_output/openscene_format"}),
        ("output_dir=o data_output_dir=d", {"output_dir": "o", "data_output_dir": "d"}),
        (
            "distributed_mode=SCENARIO_BASED",
            {"worker": "ray", "gpus_per_worker": 1.0, "cpus_per_worker": 16.0},
        ),
        (
            "distributed_mode=SCENARIO_BASED number_of_cpus_allocated_per_simulation=2",
            {"worker": "ray", "cpus_per_worker": 2.0},
        ),
        ("number_of_cpus_allocated_per_simulation=2", {"worker": "sequential", "cpus_per_worker": 1.0}),
        (
            "distributed_mode=SCENARIO_BASED number_of_gpus_allocated_per_simulation=0.5",
            {"worker": "ray", "gpus_per_worker": 0.5},
        ),
        ("distributed_mode=SCENARIO_BASED worker=ray_distributed_no_torch", {"worker": "ray", "gpus_per_worker": 0.0}),
        ("worker=processes", {"worker": "processes"}),
        ("exit_on_failure=true", {"keep_going": False}),
        ("ego_controller=log_play_controller", {"controller": "perfect"}),
        ("ego_policy=human_policy", {"ego": "log_replay"}),
        ("ego_policy=pdm_policy", {"ego": "pdm_closed"}),
        ("ego_policy=env_input_policy use_planner_actions=true", {"ego": "planner", "bridge.transport": "socket"}),
        (
            "planner_data_path=r/plan_traj planner_client_folder=r/frames",
            {"bridge.transport": "files", "bridge.folder": "r"},
        ),
        ("agent_policy=idm_policy", {"traffic": "R"}),
        ("ego_policy=idm_policy", {"ego": "idm"}),
        ("with_render_manager=false", {"render.backend": "none", "record.openscene": False}),
        ("with_data_manager=false", {"render.backend": "auto", "record.openscene": False}),
        ("with_data_manager=true", {"render.backend": "auto", "record.openscene": True}),
        ("with_metric_manager=true", {"metric": "worldengine_v1"}),
        (
            "with_dense_reward_manager=true",
            {"rewards.vocabulary": "data/alg_engine/test_8192_kmeans.npy", "rewards.format": "pdms_pkl"},
        ),
        ("num_history=3 num_future=4", {"protocol.history_length": 3, "protocol.horizon": 2.0}),
        ("enable_resume=true", {"resume": True}),
        ("seed=7", {"seed": 7}),
    ],
)  # fmt: skip
def test_keys_with_an_effect(words, ours, monkeypatch):
    monkeypatch.delenv("WORLDENGINE_ROOT", raising=False)
    run = compose_run(words.split(), PRESET)
    for key, expected in ours.items():
        value = run
        for part in key.split("."):
            value = getattr(value, part)
        assert value == expected, key


def test_defaults_are_the_published_loop():
    run = compose_run([], PRESET)
    check(run)
    assert (run.protocol.name, run.protocol.dt, run.protocol.horizon, run.protocol.lookahead) == (
        "worldengine_v1", 0.5, 4.0, 0.0,
    )  # fmt: skip
    assert (run.traffic, run.ego, run.metric, run.worker) == ("NR", "log_replay", "none", "sequential")
    assert (run.render.width_px, run.render.height_px, run.rewards.mode) == (1920, 1080, "worldengine_v1")


def test_the_words_of_the_published_test_script():
    words = """debug_mode=True debug_scene_name=null asset_folder_path=data/sim_engine/assets/x/assets
        data_file_folder_path=data/sim_engine/scenarios/original/x data_pkl_file_name=all_scenarios.pkl
        output_dir=run/WE_output job_name=x_NR_model use_planner_actions=true ego_policy=env_input_policy
        ego_client=navformer_client ego_controller=log_play_controller ego_navigation=trajectory_navigation
        agent_policy=trajectory_policy planner_data_path=run/plan_traj planner_client_folder=run/frames
        with_metric_manager=true with_dense_reward_manager=False distributed_mode=SINGLE_NODE worker=ray_distributed
        worker_id_prefix=split_ enable_resume=true completed_scenarios_dir=run/completed_scenarios"""
    composed = compose_noted(words.split(), PRESET)
    check(composed.run)
    run = composed.run
    assert (run.ego, run.controller, run.traffic, run.metric) == (
        "planner",
        "perfect",
        "NR",
        "worldengine_v1",
    )
    assert (run.bridge.transport, run.bridge.folder, str(output_dir(run))) == (
        "files",
        "run",
        "run/WE_output",
    )
    assert (run.split, run.resume, run.worker) == ("x", True, "sequential")
    assert len(composed.notes) == len(words.split())


def test_paths_start_at_the_root_of_the_original(monkeypatch):
    monkeypatch.setenv("WORLDENGINE_ROOT", "/data/we")
    run = compose_run(["with_dense_reward_manager=true"], PRESET)
    assert run.scenario_root == "/data/we/data/sim_engine/scenarios/original"
    assert run.split == "navtest_failures"
    assert run.rewards.vocabulary == "/data/we/data/alg_engine/test_8192_kmeans.npy"
    assert (
        compose_run(["data_file_path=/elsewhere/s/all_scenarios.pkl"], PRESET).scenario_root == "/elsewhere"
    )


def test_our_own_keys_are_understood_and_win():
    run = compose_run(
        ["with_metric_manager=true", "metric=corrected", "split=demo", "render.width_px=64"], PRESET
    )
    assert (run.metric, run.split, run.render.width_px) == ("corrected", "demo", 64)


def test_notes_say_why_a_key_has_no_effect_and_what_it_becomes():
    notes = compose_noted(["debug_mode=false", "num_future=4", "agent_policy=idm_policy"], PRESET).notes
    assert notes == (
        "debug_mode=false has no effect: the original does not read it either",
        "agent_policy=idm_policy becomes traffic=R",
        "num_future=4 becomes protocol.history_length=4 protocol.horizon=2.0",
    )


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("agent_polcy=idm_policy", "expected something like agent_policy"),
        ("num_scenario=3", "expected something like num_scenarios"),
        ("qqqq=3", "no key of the original nor of ours: see docs/protocols.md"),
        ("agent_policy=pid_policy", "expected one of trajectory_policy, idm_policy"),
        ("env=other_env", "expected one of base_env"),
        ("num_future=many", "expected a value like 8"),
        ("enable_resume=1", "expected a value like false"),
        ("ego_policy=env_input_policy", "use_planner_actions is false, expected true"),
        ("planner_data_path=a/plan_traj", "expected DIR/plan_traj and DIR/frames"),
        ("planner_data_path=a/plans planner_client_folder=a/frames", "expected DIR/plan_traj and DIR/frames"),
        (
            "planner_data_path=a/plan_traj planner_client_folder=b/frames",
            "expected DIR/plan_traj and DIR/frames",
        ),
        ("output_dir=${nowhere}/x", "nowhere"),
        ("=", "expected key=value"),
        ("q_lateral=[1", "expected key=value"),
    ],
)
def test_mistakes_are_one_sentence(word, said):
    with pytest.raises(ConfigError, match=said) as caught:
        compose_run(word.split(), PRESET)
    assert "\n" not in str(caught.value)


def test_the_original_keys_belong_to_their_preset():
    with pytest.raises(ConfigError, match="agent_policy"):
        compose_run(["agent_policy=idm_policy"])


def test_show_prints_the_configuration_and_the_notes(capsys):
    assert main(["run", "--config-name", PRESET, "--show", "debug_mode=false", "enable_resume=true"]) == 0
    printed = capsys.readouterr().out
    assert "name: worldengine_v1" in printed
    assert printed.endswith(
        "# debug_mode=false has no effect: the original does not read it either\n"
        "# enable_resume=true becomes resume=true\n"
    )


def test_the_page_lists_every_key():
    page = (Path(__file__).resolve().parents[3] / "docs" / "protocols.md").read_text()
    assert [key for key in TABLE if f"`{key}`" not in page] == []
    assert [key for key, row in TABLE.items() if row.ours is None and row.note not in page] == []

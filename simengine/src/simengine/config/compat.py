"""The flat keys of the original's `default_runner.yaml` and `default_common.yaml`, and what becomes of each here.

The one place that knows them: `TABLE` has a row for every key. `translate.py` applies it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simengine.errors import ConfigError

PRESET = "default_runner"
ROOT_VARIABLE = "WORLDENGINE_ROOT"
WORKER_PLACEHOLDER = "__WORKER_ID__"
FRAME_DT = 0.5
_ASSETS = "data/sim_engine/assets/"

Values = Mapping[str, Any]
"""Original key -> value, for all keys."""


@dataclass(frozen=True)
class Key:
    """One key of the original.

    Attributes:
        default: in its YAML.
        note: why it has no effect, or what there is to know about its effect.
        ours: all values -> our keys and values; None if the key has no effect.
        choices: the only values it knows, empty for any.
    """

    default: object
    note: str
    ours: Callable[[Values], dict[str, object]] | None = None
    choices: tuple[object, ...] = ()


def none(default: object, why: str, choices: tuple[object, ...] = ()) -> Key:
    """Return a key without effect, and why it has none."""
    return Key(default, why, None, choices)


def same(
    name: str, default: object, ours: str, convert: Callable = lambda value: value, note: str = ""
) -> Key:
    """Return a key that is one of ours, its value converted."""
    return Key(default, note, lambda values: {ours: convert(values[name])})


def choice(name: str, default: str, ours: str, meaning: dict[str, object], note: str = "") -> Key:
    """Return a key whose values have names of their own here."""
    return Key(default, note, lambda values: {ours: meaning[values[name]]}, (*meaning,))


def _split(values: Values) -> dict[str, object]:
    """The folder of the scenario file names the split; a whole path of the file comes first."""
    given = values["data_file_path"]
    folder = Path(given).parent if given else Path(values["data_file_folder_path"])
    folder = Path(os.environ.get(ROOT_VARIABLE, ".")) / folder
    return {"scenario_root": str(folder.parent), "split": folder.name}


def _folders(values: Values) -> dict[str, object]:
    output, data = _without_worker(values["output_dir"]), _without_worker(values["data_output_dir"])
    return {"output_dir": str(output), "data_output_dir": str(data)}


def _without_worker(path: str) -> Path:
    """One run has one folder, whatever the number of workers."""
    return Path(*(part for part in Path(path).parts if part != WORKER_PLACEHOLDER))


_EGO = {
    "dbg_ego_policy": "log_replay",
    "human_policy": "log_replay",
    "trajectory_policy": "log_replay",
    "idm_policy": "idm",
    "pdm_policy": "pdm_closed",
    "env_input_policy": "planner",
}


def _ego(values: Values) -> dict[str, object]:
    ego = _EGO[values["ego_policy"]]
    if ego == "planner" and not values["use_planner_actions"]:
        raise ConfigError(
            "ego_policy is env_input_policy but use_planner_actions is false, expected true: the ego has to be driven "
            "by someone"
        )
    return {"ego": ego}


def _planner_folder(values: Values) -> dict[str, object]:
    """Both folders lie in the folder of the run, under the names of the protocol."""
    given = values["planner_data_path"], values["planner_client_folder"]
    if given == (None, None):
        return {}
    plans, frames = (_without_worker(path or "") for path in given)
    run = frames.parent
    if (plans, frames) != (run / "plan_traj", run / "frames"):
        raise ConfigError(
            f"planner_data_path is {given[0]} and planner_client_folder {given[1]}, expected DIR/plan_traj and "
            "DIR/frames"
        )
    return {"bridge.transport": "files", "bridge.folder": str(run)}


def _pictures(values: Values) -> dict[str, object]:
    draw = values["with_render_manager"]
    return {
        "render.backend": "auto" if draw else "none",
        "record.openscene": draw and values["with_data_manager"],
    }


def _assets(values: Values) -> dict[str, object]:
    """The folder above all assets, its default, names none of them: scenes are lifted then."""
    given = values["asset_folder_path"]
    if given == _ASSETS:
        return {}
    return {"render.asset_root": str(Path(os.environ.get(ROOT_VARIABLE, ".")) / given)}


def _workers(values: Values) -> dict[str, object]:
    alone = values["distributed_mode"] == "SINGLE_NODE"
    worker, gpus = values["worker"], values["number_of_gpus_allocated_per_simulation"]
    if not worker.startswith("ray_distributed"):
        return {"worker": worker}
    if alone:
        return {"worker": "sequential"}
    return {
        "worker": "ray",
        "gpus_per_worker": 0.0 if worker.endswith("no_torch") else gpus,
        "cpus_per_worker": values["number_of_cpus_allocated_per_simulation"],
    }


def _rewards(values: Values) -> dict[str, object]:
    if not values["with_dense_reward_manager"]:
        return {}
    vocabulary = Path(os.environ.get(ROOT_VARIABLE, ".")) / "data/alg_engine/test_8192_kmeans.npy"
    return {"rewards.vocabulary": str(vocabulary), "rewards.format": "pdms_pkl"}


def _horizon(values: Values) -> dict[str, object]:
    return {
        "protocol.history_length": values["num_history"],
        "protocol.horizon": FRAME_DT * values["num_future"],
    }


_UNREAD = "the original does not read it either"
_FIXED = "the tracker is NAVSIM's, with its constants"
_IDM = "reactive traffic has the published constants"
_DEAD = "lane changes are dead code in the original"
_REPORT = "report.html shows every episode"
_RAY = "Ray takes the resources of this machine or of the cluster it is started in"

TABLE: dict[str, Key] = {
    # default_runner.yaml
    "debug_mode": none(True, _UNREAD),
    "debug_scene_name": none(None, _UNREAD),
    "debug_static_world": none(True, _UNREAD),
    "data_file_folder_path": Key("data/sim_engine/scenarios/original/navtest_failures/", "", _split),
    "data_pkl_file_name": none(
        "all_scenarios.pkl", "a split is the folder that `simengine convert` made of the file"
    ),
    "data_file_path": Key(None, "", _split),
    "asset_folder_path": Key(_ASSETS, "", _assets),
    "data_output_dir": Key("${output_dir}/openscene_format", "", _folders),
    "number_of_gpus_allocated_per_simulation": Key(1.0, "", _workers),
    "number_of_cpus_allocated_per_simulation": Key(
        16.0, "workers of another kind reserve no cores: num_workers says how many there are", _workers
    ),
    "exit_on_failure": same(
        "exit_on_failure", False, "keep_going", lambda stop: not stop,
        "the other scenarios are driven in any case; it decides about the exit code",
    ),
    "distributed_mode": Key("SINGLE_NODE", "", _workers, ("SINGLE_NODE", "SCENARIO_BASED")),
    "worker_id_prefix": none("split_", "all workers share the folder of the run"),
    "env": none("base_env", "there is one loop", ("base_env",)),
    "frame_rate": none(0.5, "the bicycle moves in steps of 0.1 s"),
    "planning_frame_rate": none(0.5, "plans say how far apart their poses are"),
    "no_map": none(False, "the map is part of the scenario"),
    "store_map": none(False, "the map is part of the scenario"),
    "ego_vehicle_type": none("pacifica", "dimensions are part of the scenario", ("pacifica",)),
    "other_vehicle_type": none("pacifica", "dimensions are part of the scenario", ("pacifica",)),
    "destination": none([0, 100], "the route is part of the scenario"),
    "ego_controller": choice(
        "ego_controller", "two_stage_controller", "controller",
        {"log_play_controller": "perfect", "two_stage_controller": "lqr"},
        "lqr is NAVSIM's tracker and bicycle at 10 Hz in place of the published step of 0.5 s",
    ),
    "ego_policy": Key("dbg_ego_policy", "all that follow the log become log_replay", _ego, (*_EGO,)),
    "ego_navigation": none("ego_lane_navigation", "the route is part of the scenario"),
    "ego_client": none("base_client", "bridge.transport says how the planner is reached"),
    "agent_controller": none("log_play_controller", "agents are where their policy puts them"),
    "agent_policy": choice(
        "agent_policy", "trajectory_policy", "traffic", {"trajectory_policy": "NR", "idm_policy": "R"}
    ),
    "agent_navigation": none("trajectory_navigation", "it goes with agent_policy"),
    "nuplan_map_root": none("data/raw/nuplan/dataset/maps", "the map is part of the scenario"),
    "DISTANCE_WANTED": none(10, _IDM),
    "TIME_WANTED": none(1.5, _IDM),
    "DELTA": none(4, _IDM),
    "NORMAL_SPEED": none(35, _IDM),
    "ACC_FACTOR": none(2.5, _IDM),
    "DEACC_FACTOR": none(-2.5, _IDM),
    "TIME_STAMPS": none(5, _IDM),
    "dt": none(0.5, _IDM),
    "LANE_CHANGE_FREQ": none(50, _DEAD),
    "LANE_CHANGE_SPEED_INCREASE": none(10, _DEAD),
    "SAFE_LANE_CHANGE_DISTANCE": none(15, _DEAD),
    "MAX_LONG_DIST": none(30, _DEAD),
    "MAX_SPEED": none(100, _DEAD),
    "CREEP_SPEED": none(5, _DEAD),
    "DELTA_SPEED": none(5, _UNREAD),
    "DELTA_RANGE": none([3.5, 4.5], _UNREAD),
    "tracker": none("lqr", "controller=lqr is the only tracker", ("lqr",)),
    "motion_model": none("kinematic_bicycle", "controller=lqr drives it", ("kinematic_bicycle",)),
    "q_longitudinal": none([10], _FIXED),
    "r_longitudinal": none([1], _FIXED),
    "q_lateral": none([5, 10, 1], _FIXED),
    "r_lateral": none([3], _FIXED),
    "discretization_time": none(0.1, _FIXED),
    "tracking_horizon": none(10, _FIXED),
    "jerk_penalty": none(1e-4, _FIXED),
    "curvature_rate_penalty": none(1e-2, _FIXED),
    "stopping_proportional_gain": none(0.5, _FIXED),
    "stopping_velocity": none(0.2, _FIXED),
    "accel_time_constant": none(0.2, _FIXED),
    "steering_angle_time_constant": none(0.05, _FIXED),
    "visualize_BEV": none(False, _REPORT),
    "visualize_video": none(False, _REPORT),
    "NC_DAC_video_capture": none(False, _REPORT),
    "save_data": none(False, "record.rollouts and record.cameras say what is kept"),
    "use_planner_actions": Key(False, "only ego_policy=env_input_policy asks a planner", _ego),
    "planner_data_path": Key(None, "", _planner_folder),
    "planner_client_folder": Key(None, "", _planner_folder),
    "with_render_manager": Key(True, "", _pictures),
    "with_data_manager": Key(True, "it keeps what is drawn", _pictures),
    "with_metric_manager": same(
        "with_metric_manager", False, "metric", lambda score: "worldengine_v1" if score else "none"
    ),
    "with_dense_reward_manager": Key(False, "", _rewards),
    "num_history": Key(4, "", _horizon),
    "num_future": Key(8, "", _horizon),
    "sampling_poses": none(8, "the whole horizon is scored"),
    "buffer_size": none(9, "the whole horizon is scored"),
    "reward_sampling_poses": none(8, "rewards look 4 s ahead"),
    "reward_buffer_size": none(9, "rewards look 4 s ahead"),
    "enable_resume": same("enable_resume", False, "resume"),
    "completed_scenarios_dir": none(
        "${output_dir}/completed_scenarios", "a scenario is done when its file in rows/ is there"
    ),
    # default_common.yaml
    "distributed_timeout_seconds": none(7200, _RAY),
    "group": Key("exp", "", _folders),
    "experiment_name": Key("simulation", "", _folders),
    "job_name": Key("test", "", _folders),
    "experiment": Key("${experiment_name}/${job_name}", "", _folders),
    "output_dir": Key("${group}/${experiment}", "", _folders),
    "runner_report_file": none("runner_report.json", "scores.csv has a row for every scenario, failed ones too"),
    "max_step": none(1_000_000, "a run ends with its split; num_scenarios makes it shorter"),
    "decision_repeat": none(1, "the ego follows each plan for one frame"),
    "selected_simulation_metrics": none(None, _UNREAD),
    "verbose": none(False, _UNREAD),
    "date_format": none("%Y-%m-%d-%H-%M-%S", _UNREAD),
    "experiment_uid": none(None, _UNREAD),
    "metric_dir": none("metrics", _UNREAD),
    "aggregator_metric_dir": none("aggregator_metric", _UNREAD),
    "log_config": none(True, _UNREAD),
    "seed": same("seed", 0, "seed"),
    "enable_profiling": none(False, _UNREAD),
    "gpu": none(True, _UNREAD),
    "log_level": none("critical", _UNREAD),
    "logger_format_string": none(None, _UNREAD),
    "renderer": none("mtgs", "render.backend says what draws", ("mtgs",)),
    "renderer.enable_collider": none(False, _UNREAD),
    "renderer.render_depth": none(False, "cameras draw colours"),
    "renderer.rasterize_mode": none("antialiased", "the renderer always smooths"),
    "renderer.radius_clip": none(0.0, "nothing is clipped by its size"),
    "renderer.background_color": none("black", "a scene has a sky"),
    "renderer.device": none("cuda", "render.backend says what draws"),
    "worker": Key(
        "ray_distributed", "", _workers,
        ("ray_distributed", "ray_distributed_no_torch", "sequential", "processes", "ray"),
    ),
    "worker.master_node_ip": none(None, _RAY),
    "worker.threads_per_node": none(None, "num_workers says how many work at a time"),
    "worker.debug_mode": none(False, "worker=sequential runs everything in this process"),
    "worker.log_to_driver": none(True, "failures/ has the traceback of every failed scenario"),
    "worker.logs_subdir": none("logs", "failures/ has the traceback of every failed scenario"),
    "worker.use_distributed": none(False, _RAY),
}  # fmt: skip

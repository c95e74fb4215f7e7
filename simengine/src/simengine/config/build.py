"""The one place where names in a configuration become objects."""

from __future__ import annotations

import os
from pathlib import Path

from simengine.agents.expert import ExpertPolicy
from simengine.agents.files_planner import FilesPlannerPolicy, encode_jpeg
from simengine.agents.idm_ego import IdmPolicy
from simengine.agents.pdm_closed import PdmClosedPolicy
from simengine.agents.remote import RemotePolicy
from simengine.agents.simple import BrakePolicy, ConstantVelocityPolicy, LaneSpeedPolicy, LogReplayPolicy
from simengine.bridge.client import PlannerClient
from simengine.bridge.curve import load_public_key
from simengine.bridge.files.client import FilesClient
from simengine.bridge.files.folder import RunFolder
from simengine.bridge.in_process import InProcessClient, make_planner
from simengine.bridge.planner import PlannerConnection
from simengine.config.openscene import check_openscene, make_openscene, openscene_folder
from simengine.config.protocols import check_protocol, make_protocol, settled, traffic_model
from simengine.config.recovery import DRIVERS, recovery_params, recovery_source
from simengine.config.rewards import check_rewards, make_recorder
from simengine.config.scenes import cache_bytes, scene_opener
from simengine.config.schema import RenderConfig, RunConfig
from simengine.config.sensors import check_sensors, make_lidar, make_trust
from simengine.datatypes.camera import CameraCalibration
from simengine.errors import ConfigError
from simengine.metrics.pdm.parameters import MODES
from simengine.render.assets.opener import COMPOSITIONS
from simengine.render.build import make_backend
from simengine.render.lens_plan import check_lens
from simengine.render.renderer import SceneRenderer
from simengine.render.rig import nuplan_rig
from simengine.rewards.modes import REWARD_MODES
from simengine.rewards.pdms_pkl import original_id
from simengine.runner.handle import Handle
from simengine.runner.rewards import FORMATS
from simengine.runner.run_directory import RunDirectory
from simengine.runner.worker import PolicySource, Worker, WorkerSettings
from simengine.scenario.scenario import Scenario
from simengine.scenario.splits import load_index, open_split
from simengine.sim.loop import Simulation
from simengine.world.splits import BUILTIN_SPLITS, builtin_handles

CHOICES = {
    "ego": (
        "planner", "log_replay", "constant_velocity", "lane_speed", "brake", "idm", "pdm_closed", "expert", "recovery",
    ),
    "metric": (*MODES, "none"),
    "worker": ("sequential", "processes", "ray"),
    "render.backend": ("cpu", "gsplat", "auto", "none"),
    "render.composition": (*COMPOSITIONS,),
    "render.rig": ("nuplan", "scenario"),
    "render.lens": ("auto", "native", "warp"),
    "record.cameras": ("front", "all", "none"),
    "bridge.transport": ("socket", "files"),
    "rewards.mode": REWARD_MODES,
    "rewards.format": FORMATS,
    "recovery.driver": DRIVERS,
}  # fmt: skip


def check(config: RunConfig) -> None:
    """Raise `ConfigError` if a value is none of its choices or contradicts another."""
    config = settled(config)
    for key, choices in CHOICES.items():
        value: object = config
        for part in key.split("."):
            value = getattr(value, part)
        if value not in choices:
            raise ConfigError(f"{key} is {value!r}, expected one of {', '.join(choices)}")
    _check_numbers(config)
    check_lens(config.render.lens, config.render.rolling_shutter > 0.0)
    if config.ego == "planner" and config.render.backend == "none":
        raise ConfigError("ego=planner needs images but render.backend is none, expected cpu, gsplat or auto")
    check_protocol(config)
    check_rewards(config)
    check_openscene(config)
    check_sensors(config)
    recovery_params(config)
    if config.ego == "planner" and config.bridge.transport == "files":
        _check_files(config)


def _check_numbers(config: RunConfig) -> None:
    """Raise `ConfigError` if a number is out of its range."""
    for key in ("num_scenarios", "num_workers"):
        value = getattr(config, key)
        if value is not None and value < 1:
            raise ConfigError(f"{key} is {value}, expected at least 1")
    for key in ("gpus_per_worker", "cpus_per_worker", "retries"):
        if getattr(config, key) < 0:
            raise ConfigError(f"{key} is {getattr(config, key)}, expected at least 0")
    for key in ("width_px", "height_px"):
        if getattr(config.render, key) < 16:
            raise ConfigError(f"render.{key} is {getattr(config.render, key)}, expected at least 16")
    if not 0.0 <= config.render.rolling_shutter <= 0.2:
        raise ConfigError(f"render.rolling_shutter is {config.render.rolling_shutter} s, expected 0 to 0.2")


def _check_files(config: RunConfig) -> None:
    """Raise `ConfigError` if the planner of the `files` transport could not follow the run."""
    if config.worker != "sequential" and config.num_workers != 1:
        raise ConfigError(
            f"bridge.transport=files drives one scene at a time but worker is {config.worker}, expected sequential: "
            "run parts of the split with a bridge.folder and a planner each"
        )
    protocol = config.protocol
    if abs(protocol.history_dt - protocol.decision_interval) > 1e-6:
        raise ConfigError(
            f"bridge.transport=files has one rate of frames but protocol.history_dt is {protocol.history_dt} s and "
            f"protocol.decision_interval {protocol.decision_interval} s, expected the same"
        )


def output_dir(config: RunConfig) -> Path:
    """Return the run folder: the original's layout unless the configuration names one."""
    if config.output_dir is not None:
        return Path(config.output_dir)
    return Path("experiments/closed_loop_exps") / config.model_name / f"{config.split}_{config.traffic}"


def open_handles(config: RunConfig) -> list[Handle]:
    """Return the scenarios of the split, in order: the first `num_scenarios`, or all.

    Raises:
        ConfigError: a built-in split has fewer.
    """
    if config.split in BUILTIN_SPLITS:
        return list(builtin_handles(config.split, config.num_scenarios))
    return list(open_split(Path(config.scenario_root), config.split))[: config.num_scenarios]


def scenario_ids(config: RunConfig) -> dict[str, str]:
    """Return token -> id of each scenario in the original's files; built-in scenarios have none."""
    if config.split in BUILTIN_SPLITS:
        return {}
    entries = load_index(Path(config.scenario_root) / config.split).entries
    return {entry.token: original_id(entry.log, entry.token, entry.tags) for entry in entries}


def build_worker(config: RunConfig) -> Worker:
    """Return a worker with everything `config` names; called once in each worker process."""
    config = settled(config)
    protocol = make_protocol(config)
    renderer, policies = None, _policy_source(config)
    if config.render.backend != "none":
        backend = make_backend(config.render.backend, _render_threads(config))
        renderer = SceneRenderer(
            backend,
            open_scene=scene_opener(config.render),
            cache_bytes=cache_bytes(config.render),
            lens=config.render.lens,
            rolling_shutter=config.render.rolling_shutter,
            device_images=policies.device_images,
        )
    simulation = Simulation(
        protocol,
        protocol.rules.trackers[config.controller](),
        traffic_model(config),
        renderer,
        _rig(config.render),
        make_lidar(config, renderer, _render_threads(config)),
    )
    cameras = {"front": ("CAM_F0",), "all": None, "none": ()}[config.record.cameras]
    settings = WorkerSettings(
        seed=config.seed,
        traffic=config.traffic,
        metric="" if config.metric == "none" else config.metric,
        record_cameras=cameras,
        keep_records=config.record.rollouts,
        # Where the processor draws, opening the next scene would take the cores from it.
        prefetch=renderer is not None and renderer.backend.name != "cpu",
    )
    return Worker(
        simulation,
        policies,
        run_directory(config),
        settings,
        make_recorder(config),
        make_openscene(config, output_dir(config)),
        make_trust(config, renderer),
    )


def _rig(config: RenderConfig) -> tuple[CameraCalibration, ...] | None:
    """Return the cameras to draw, None for those of each scenario."""
    if config.rig == "scenario":
        return None
    return nuplan_rig(config.width_px, config.height_px, distortion=config.distortion)


def run_directory(config: RunConfig) -> RunDirectory:
    """Return the run folder with everything in its place."""
    root = output_dir(config)
    openscene = openscene_folder(config, root)
    return RunDirectory(root, None if openscene is None else openscene.root)


def _render_threads(config: RunConfig) -> int | None:
    """Workers that share the cores would only slow each other down with more than one thread each."""
    if config.render.threads is not None or config.worker == "sequential":
        return config.render.threads
    return 1


def _policy_source(config: RunConfig) -> PolicySource:
    if config.ego == "planner" and config.bridge.transport == "files":
        return _files_source(config)
    if config.ego == "planner":
        connection = _connect(config)
        on_device = isinstance(connection, InProcessClient) and connection.wants_device_images
        return PolicySource(
            lambda *_: RemotePolicy(connection), connection.finish, connection.close, device_images=on_device
        )
    simple = {
        "log_replay": LogReplayPolicy,
        "constant_velocity": ConstantVelocityPolicy,
        "brake": BrakePolicy,
        "idm": IdmPolicy,
        "pdm_closed": PdmClosedPolicy,
    }
    if config.ego in simple:
        return PolicySource(lambda scenario, _: simple[config.ego](scenario))
    if config.ego == "lane_speed":
        return PolicySource(lambda _, simulation: LaneSpeedPolicy(simulation.episode.line))
    if config.ego == "recovery":
        return recovery_source(config)
    return PolicySource(lambda scenario, simulation: ExpertPolicy(scenario, simulation.episode.traffic))


def end_without_driving(config: RunConfig) -> None:
    """Tell a planner that only watches a folder that the run is over; with others there is nothing to end."""
    if config.ego == "planner" and config.bridge.transport == "files":
        _files_source(config).close()


def _files_source(config: RunConfig) -> PolicySource:
    bridge, protocol = config.bridge, make_protocol(config)
    history, decisions = protocol.history_length, protocol.num_decisions
    client = FilesClient(
        RunFolder(Path(bridge.folder) if bridge.folder else output_dir(config)),
        encode_jpeg,
        frames_per_scene=history + decisions,
        start_timeout=bridge.connect_timeout,
        plan_timeout=bridge.plan_timeout,
        clean=bridge.clean,
    )

    def make(scenario: Scenario, simulation: Simulation) -> FilesPlannerPolicy:
        return FilesPlannerPolicy(
            client, scenario, simulation, history, decisions, protocol.steps_per_decision
        )

    return PolicySource(make, lambda _: client.finish(), client.close, plans_at_end=False)


def planner_identity(config: RunConfig) -> dict[str, str]:
    """Return who will drive, so that a run cannot be resumed with another planner; waits until it is there.

    Raises:
        PlannerTimeoutError: nobody answers within `bridge.connect_timeout`.
    """
    if config.ego != "planner":
        return {}
    if config.bridge.transport == "files":
        return {"transport": "files"}  # the protocol has no word for who plans
    if config.bridge.in_process is not None:
        return {"in_process": config.bridge.in_process}
    with _dial(config) as client:
        client.wait_until_ready()
        return {"name": client.planner_name or "", **client.planner_metadata}


def _connect(config: RunConfig) -> PlannerConnection:
    if config.bridge.in_process is not None:
        return InProcessClient(
            make_planner("bridge.in_process", config.bridge.in_process, model_name=config.model_name)
        )
    return _dial(config)


def _dial(config: RunConfig) -> PlannerClient:
    bridge = config.bridge
    key_file = bridge.server_key_file
    return PlannerClient(
        bridge.address.replace("__GPU__", _first_gpu()),
        connect_timeout=bridge.connect_timeout,
        redial_timeout=bridge.redial_timeout,
        plan_timeout=bridge.plan_timeout,
        retries=bridge.retries,
        server_key=load_public_key(Path(key_file).expanduser()) if key_file else None,
    )


def _first_gpu() -> str:
    """Return the card this process may use, as its planner was told: Ray shows each worker its own."""
    return os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0] or "0"

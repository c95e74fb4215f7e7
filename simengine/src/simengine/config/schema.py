"""Every key of a run, typed; Hydra rejects keys and values that do not fit."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class ProtocolConfig:
    """See `simengine.sim.protocol.Protocol`; times in seconds, None for what is usual in the protocol.

    `name` is navsim or worldengine_v1; see docs/protocols.md.
    """

    name: str = "navsim"
    dt: float | None = None
    decision_interval: float | None = None
    horizon: float | None = None
    lookahead: float | None = None
    history_length: int | None = None
    history_dt: float | None = None


@dataclass
class RenderConfig:
    """Cameras: `backend` none, cpu, gsplat or auto; the nuPlan rig at `width_px` x `height_px`.

    `threads` of the CPU backend: None for all cores in a sequential run, one in each of several workers.
    `lidar` is none or nuplan: a point cloud in every observation; see docs/lidar.md.
    `trust` measures how far the images of each decision can be trusted; see docs/render_trust.md.
    `asset_root` is the folder of reconstructed assets, None to draw what is lifted from the scenarios; `composition` is
    corrected or worldengine_v1, None for that of the protocol; `agent_library` is a folder of vehicles to borrow for
    agents without Gaussians; see docs/assets.md. `cache_mib` bounds the memory of scenes kept for another time.
    `rig` is nuplan, or scenario for the cameras stored with each scenario, with their own sizes and lenses.
    `lens` is auto, native or warp: how lens distortion is drawn; `rolling_shutter` is the time from the first to the
    last row of an image [s], 0 for a global shutter; see docs/lenses.md.
    """

    backend: str = "cpu"
    width_px: int = 320
    height_px: int = 180
    distortion: bool = False
    threads: int | None = None
    lidar: str = "none"
    trust: bool = False
    asset_root: str | None = None
    composition: str | None = None
    agent_library: str | None = None
    cache_mib: int | None = None
    rig: str = "nuplan"
    lens: str = "auto"
    rolling_shutter: float = 0.0


@dataclass
class BridgeConfig:
    """How to reach the planner; times in seconds.

    `in_process` names a function `package.module:function` instead of an address: it is called with `model_name` in
    each worker and returns the planner, which then needs no socket and no copies of images.

    `__GPU__` in `address` stands for the card a worker may use, where each card has a planner of its own.

    `transport` is socket, or files for the protocol of the original: frames and plans in `folder` (None for the output
    folder of the run); `clean` deletes frames that the planner is done with.
    """

    address: str = "ipc:///tmp/simengine-planner.sock"
    connect_timeout: float = 120.0
    redial_timeout: float = 30.0
    plan_timeout: float = 60.0
    retries: int = 1
    server_key_file: str | None = None
    in_process: str | None = None
    transport: str = "socket"
    folder: str | None = None
    clean: bool = True


@dataclass
class RecordConfig:
    """What is kept of each rollout: `cameras` is front, all or none; `openscene` writes the original's layout too."""

    cameras: str = "front"
    rollouts: bool = True
    openscene: bool = False


@dataclass
class RecoveryConfig:
    """Perturbed starts of `ego=recovery`, each number the most that is drawn; see docs/rollouts.md.

    `driver` is pdm_closed, expert, or auto: the expert in the built-in world, else PDM-Closed.
    """

    lateral: float = 1.0
    heading_deg: float = 7.0
    speed: float = 2.0
    clearance: float = 0.3
    draws: int = 50
    driver: str = "auto"


@dataclass
class RewardsConfig:
    """Scores of a whole vocabulary at every decision; see docs/rewards.md.

    Off unless `vocabulary` names a .npy file of plans, `vocabulary_dt` seconds between their poses. `mode` is
    navsim_v1, corrected or worldengine_v1, None for that of the protocol;
    `format` is native, pdms_pkl or both.
    """

    vocabulary: str | None = None
    vocabulary_dt: float = 0.1
    mode: str | None = None
    format: str = "native"


@dataclass
class RunConfig:
    """One run of `simengine run`.

    Attributes:
        split: a built-in split (demo, common_train, ...) or a folder below `scenario_root`.
        scenario_root: where converted splits are; a split with the name of a built-in one is never looked for there.
        num_scenarios: the first so many, None for all; built-in splits but demo go on beyond their default size.
        model_name: label of the ego policy in paths.
        output_dir: where results go; None for experiments/closed_loop_exps/<model_name>/<split>_<traffic>.
        data_output_dir: where output in the original's format goes; None for a place below the output folder.
        ego: planner, log_replay, constant_velocity, lane_speed, brake, idm, pdm_closed, expert or recovery.
        traffic: NR (log replay) or R (reactive).
        traffic_agents: who drives the vehicles of reactive traffic: idm or pdm_closed.
        controller: lqr or perfect; None for that of the protocol.
        metric: scoring mode (navsim_v1, corrected or worldengine_v1), or none; None for that of the protocol.
        worker: sequential, processes (of this machine) or ray.
        num_workers: how many of them; None for one per core, with Ray for as many as the nodes have room for.
        gpus_per_worker: share of a GPU that each Ray worker reserves; 0 renders on the processor.
        cpus_per_worker: cores that each Ray worker reserves.
        retries: how many more times a scenario is begun after its worker died or its planner was lost.
        seed: run seed.
        resume: keep what an interrupted run of the same configuration has done.
        keep_going: exit with 0 even if scenarios failed.
        report: whether to write report.html.
    """

    split: str = "demo"
    scenario_root: str = "data/sim_engine/scenarios/original"
    num_scenarios: int | None = None
    model_name: str = "vadv2_demo"
    output_dir: str | None = None
    data_output_dir: str | None = None
    ego: str = "planner"
    traffic: str = "NR"
    traffic_agents: str = "idm"
    controller: str | None = None
    metric: str | None = None
    worker: str = "sequential"
    num_workers: int | None = None
    gpus_per_worker: float = 0.0
    cpus_per_worker: float = 1.0
    retries: int = 5
    seed: int = 0
    resume: bool = True
    keep_going: bool = False
    report: bool = True
    protocol: ProtocolConfig = field(default_factory=ProtocolConfig)
    render: RenderConfig = field(default_factory=RenderConfig)
    bridge: BridgeConfig = field(default_factory=BridgeConfig)
    record: RecordConfig = field(default_factory=RecordConfig)
    recovery: RecoveryConfig = field(default_factory=RecoveryConfig)
    rewards: RewardsConfig = field(default_factory=RewardsConfig)

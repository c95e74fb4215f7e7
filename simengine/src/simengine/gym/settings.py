"""Everything that can be chosen about an environment."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from simengine.config.protocols import check_protocol, settled
from simengine.config.schema import ProtocolConfig, RunConfig
from simengine.errors import ConfigError
from simengine.gym.control import ControlLimits
from simengine.sim.protocol import Protocol, protocol_of

CHOICES = {
    "observation": ("state", "camera"),
    "action": ("control", "plan", "vocabulary"),
    "view": ("birdseye", "front"),
}


@dataclass(frozen=True)
class RewardWeights:
    """What a decision earns; see `rewards.py`.

    Attributes:
        progress: for all of the reference's progress.
        collision: lost with the first at-fault collision.
        off_road: lost with the first departure from the drivable area.
        score: times the PDM score at the end.
    """

    progress: float = 1.0
    collision: float = 1.0
    off_road: float = 1.0
    score: float = 1.0


@dataclass(frozen=True)
class EnvSettings:
    """Keyword arguments of the environment.

    Attributes:
        split: a built-in split (demo, common_train, ...) or a folder below `scenario_root`.
        scenario_root: where converted splits are.
        num_scenarios: only the first so many, None for all.
        observation: `state`, a vector, or `camera`, images and a short vector.
        action: `control` (acceleration and steering), `plan` (poses), or `vocabulary` (index of a fixed plan).
        traffic: `NR` replays the log, `R` reacts.
        traffic_agents: who drives the vehicles of reactive traffic: `idm` or `pdm_closed`.
        controller: how plans are followed: `lqr` or `perfect`, None for what is usual in the protocol; `control`
            drives the bicycle directly.
        terminate_on_violation: whether a collision at fault or leaving the road ends the episode.
        protocol: rates, lengths and rules; the episode is truncated at its horizon.
        reward: weights.
        control: what the two controls at full deflection mean.
        vocabulary: plans (K, N, 3) 0.1 s apart, or a path of a .npy file; None for a small built-in one.
        cameras: channels of the nuPlan rig to observe.
        width_px: image width.
        height_px: image height.
        backend: what draws the cameras: cpu, gsplat or auto.
        view: what `render` shows.
        cache_size: scenarios that are kept ready.
    """

    split: str = "demo"
    scenario_root: str = "data/sim_engine/scenarios/original"
    num_scenarios: int | None = None
    observation: str = "state"
    action: str = "control"
    traffic: str = "NR"
    traffic_agents: str = "idm"
    controller: str | None = None
    terminate_on_violation: bool = True
    protocol: Protocol = field(default_factory=Protocol)
    reward: RewardWeights = field(default_factory=RewardWeights)
    control: ControlLimits = field(default_factory=ControlLimits)
    vocabulary: np.ndarray | str | None = None
    cameras: tuple[str, ...] = ("CAM_F0",)
    width_px: int = 160
    height_px: int = 90
    backend: str = "cpu"
    view: str = "birdseye"
    cache_size: int = 64

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigError(f"{name} is {getattr(self, name)!r}, expected one of {', '.join(choices)}")
        if self.cache_size < 1 or (self.num_scenarios is not None and self.num_scenarios < 1):
            raise ConfigError(
                f"cache_size is {self.cache_size} and num_scenarios {self.num_scenarios}, expected at least 1"
            )
        if min(self.width_px, self.height_px) < 16 or not self.cameras:
            raise ConfigError(
                f"images are {self.width_px} x {self.height_px} px of cameras {self.cameras}, expected at least 16 px "
                "and one camera"
            )

        check_protocol(self.run)

    @property
    def run(self) -> RunConfig:
        """The same choices as keys of a run, what is usual in the protocol filled in."""
        numbers = {item.name: getattr(self.protocol, item.name) for item in fields(ProtocolConfig)}
        config = RunConfig(
            split=self.split,
            scenario_root=self.scenario_root,
            num_scenarios=self.num_scenarios,
            traffic=self.traffic,
            traffic_agents=self.traffic_agents,
            controller=self.controller,
            protocol=ProtocolConfig(**numbers),
        )
        return settled(config)

    @property
    def needs_images(self) -> bool:
        """Whether observations hold images."""
        return self.observation == "camera"


def make_settings(values: dict) -> EnvSettings:
    """Return settings from keyword arguments; groups may be given as dictionaries, a protocol by its name.

    Raises:
        ConfigError: an unknown name or a value that makes no sense.
    """
    groups = {"reward": RewardWeights, "control": ControlLimits}
    values = dict(values)
    if isinstance(values.get("protocol"), str):
        values["protocol"] = protocol_of(values["protocol"])
    if isinstance(values.get("protocol"), dict):
        numbers = {"name": "navsim"} | _known(ProtocolConfig, values["protocol"], "protocol.")
        values["protocol"] = protocol_of(**numbers)
    for name, group in groups.items():
        if isinstance(values.get(name), dict):
            values[name] = group(**_known(group, values[name], f"{name}."))
    if "cameras" in values:
        values["cameras"] = tuple(values["cameras"])
    return EnvSettings(**_known(EnvSettings, values, ""))


def _known(group: type, values: dict, prefix: str) -> dict:
    names = {item.name for item in fields(group)}
    unknown = sorted(values.keys() - names)
    if unknown:
        raise ConfigError(f"{prefix}{unknown[0]} is no setting, expected one of {', '.join(sorted(names))}")
    return values

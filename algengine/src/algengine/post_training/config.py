"""What a post-training run is made of, checked: a config file as frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields

from mmengine.config import Config

from algengine.engine.configs import load_config
from algengine.post_training.adapt import AdapterConfig, LoRARule
from algengine.post_training.check import check_least, check_positive, check_share
from algengine.post_training.objective import ExpectationObjective
from algengine.post_training.published import PublishedObjective
from algengine.post_training.recipe import DataConfig
from simengine.errors import ConfigError

_KINDS = {
    bool: (bool, "True or False"),
    int: (int, "a whole number"),
    float: ((int, float), "a number"),
    str: (str, "a text"),
    tuple: ((list, tuple), "a list of texts such as ['path']"),
}
"""What a key takes whose default is of a type."""
OBJECTIVES = {"expectation": ExpectationObjective, "published": PublishedObjective}

AUTOCASTS = ("", "bfloat16", "float16")


@dataclass(frozen=True)
class ScheduleConfig:
    """How long and how fast; the defaults are the published ones, our recipes share others (`_common.py` there).

    Attributes:
        steps: updates; 0 for `epochs`.
        epochs: passes over the data.
        batch_size: decisions per update.
        lr: highest learning rate.
        least_lr: share of it at the end of the cosine.
        warmup: updates of linear warm-up.
        warmup_start: share of the rate at its begin.
        by_epoch: the rate falls once per epoch, as in the original; else at every update.
        weight_decay: of AdamW.
        clip: largest norm of the gradient.
        seed: of adapters, order and dropout.
        save_every: updates between saved states.
        log_every: updates between rows of the log.
        autocast: dtype name for mixed precision on CUDA, "" for none.
    """

    steps: int = 0
    epochs: int = 8
    batch_size: int = 16
    lr: float = 2e-4
    least_lr: float = 1e-3
    warmup: int = 500
    warmup_start: float = 1 / 3
    by_epoch: bool = False
    weight_decay: float = 0.01
    clip: float = 35.0
    seed: int = 0
    save_every: int = 100
    log_every: int = 10
    autocast: str = ""

    def __post_init__(self) -> None:
        check_least("schedule", self, ("batch_size", "save_every", "log_every"), 1)
        check_least("schedule", self, ("steps", "epochs", "warmup", "weight_decay", "seed"), 0)
        check_positive("schedule", self, ("lr", "clip"))
        check_share("schedule", self, ("least_lr", "warmup_start"))
        if not self.steps and not self.epochs:
            raise ConfigError("schedule.steps and schedule.epochs are 0, expected one of them above 0")
        if self.autocast not in AUTOCASTS:
            raise ConfigError(f"schedule.autocast is {self.autocast!r}, expected one of {AUTOCASTS}")


@dataclass(frozen=True)
class CacheConfig:
    """Where features are kept.

    Attributes:
        root: folder.
        dtype: see `FeatureCache`.
    """

    root: str = "data/alg_engine/features"
    dtype: str = "float32"


@dataclass(frozen=True)
class PostTrainingConfig:
    """A run of post-training.

    Attributes:
        data: which decisions.
        objective: `ExpectationObjective` or `PublishedObjective`.
        adapters: what learns.
        schedule: how long.
        cache: of the frozen part.
        model: keys of the base planner's config to change, such as `dict(head=dict(sub_scores=True))`.
    """

    data: DataConfig
    objective: ExpectationObjective | PublishedObjective = field(default_factory=ExpectationObjective)
    adapters: AdapterConfig = field(default_factory=AdapterConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    cache: CacheConfig = field(default_factory=CacheConfig)
    model: Mapping = field(default_factory=dict)

    def describe(self) -> dict:
        """Return everything that decides the result, as plain values."""
        kind = next(name for name, kind in OBJECTIVES.items() if isinstance(self.objective, kind))
        return {
            "data": asdict(self.data),
            "objective": {"type": kind, **asdict(self.objective)},
            "adapters": asdict(self.adapters),
            "schedule": asdict(self.schedule),
            "cache": {"dtype": self.cache.dtype},
            "model": dict(self.model),
        }


def load_recipe(name: str, options: Sequence[str] = ()) -> PostTrainingConfig:
    """Return a recipe, given as a path or a name, with `key=value` overrides of any of its keys.

    Raises:
        ConfigError: see `load_config` and `read_config`.
    """
    return read_config(load_config(name, options, [item.name for item in fields(PostTrainingConfig)]))


def read_config(config: Config) -> PostTrainingConfig:
    """Return a config file as values; top-level keys besides those of `PostTrainingConfig` are for the file's own use.

    Raises:
        ConfigError: a key is unknown or missing, or the objective is.
    """
    plain = config.to_dict()
    if "data" not in plain:
        raise ConfigError(
            "the config has no data=dict(...), expected a recipe such as post_training/e2e_vadv2_50pct_rlft_rare_log: "
            "planners are trained with `algengine train`"
        )
    objective = dict(_section(plain, "objective"))
    kind = objective.pop("type", "expectation")
    if kind not in OBJECTIVES:
        raise ConfigError(f"objective.type is {kind!r}, expected one of {', '.join(OBJECTIVES)}")
    adapters = dict(_section(plain, "adapters"))
    if isinstance(adapters.get("rules"), (list, tuple)):
        adapters["rules"] = tuple(_rule(rule) for rule in adapters["rules"])
    return PostTrainingConfig(
        data=_fill(DataConfig, _section(plain, "data"), "data"),
        objective=_fill(OBJECTIVES[kind], objective, "objective"),
        adapters=_fill(AdapterConfig, adapters, "adapters"),
        schedule=_fill(ScheduleConfig, _section(plain, "schedule"), "schedule"),
        cache=_fill(CacheConfig, _section(plain, "cache"), "cache"),
        model=_section(plain, "model"),
    )


def _rule(values: object) -> LoRARule:
    if not isinstance(values, Mapping) or "pattern" not in values:
        raise ConfigError(f"adapters.rules has {values}, expected dict(pattern='head.*', ...)")
    return _fill(LoRARule, values, "adapters.rules")


def _section(plain: Mapping, name: str) -> Mapping:
    section = plain.get(name, {})
    if not isinstance(section, Mapping):
        raise ConfigError(f"{name} is {section!r}, expected dict(...)")
    return section


def _fill(kind: type, values: Mapping, name: str) -> object:
    known = {item.name: item.default for item in fields(kind)}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"{name} has the key {key!r}, expected some of {', '.join(sorted(known))}")
        default = type(known[key])
        accepted, words = _KINDS.get(default, (object, ""))
        fits = isinstance(value, accepted) and (default is bool or not isinstance(value, bool))
        if default is tuple:
            fits = fits and all(isinstance(item, (str, LoRARule)) for item in value)
        if not fits:
            raise ConfigError(f"{name}.{key} is {value!r}, expected {words}")
    # Plain values, so that a config read from a file equals one written in Python.
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

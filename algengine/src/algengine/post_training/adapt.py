"""Which layers of a planner get adapters, by rules over module paths, and what learns at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from algengine.models.layers.low_rank import CHILD
from algengine.post_training.check import check_least, check_positive
from algengine.post_training.lora import adapted, attach
from simengine.errors import ConfigError


@dataclass(frozen=True)
class LoRARule:
    """One rule.

    Attributes:
        pattern: of module paths from the planner on, with * and ?; only layers that can have an adapter count.
        dropout: of the adapters.
        parts: see `LoRA`.
    """

    pattern: str
    dropout: float = 0.0
    parts: int = 1

    def __post_init__(self) -> None:
        if not (0.0 <= self.dropout < 1.0 and self.parts >= 1):
            raise ConfigError(
                f"adapters.rules has {self.pattern!r} with dropout {self.dropout} and parts {self.parts}, expected a "
                "dropout of 0 or more and less than 1 and at least 1 part"
            )


HEAD_RULES = (
    LoRARule("head.encoder.embed.*", 0.1),
    LoRARule("head.status.*", 0.1),
    LoRARule("head.imitation.*", 0.1),
    LoRARule("head.sub_scores.*", 0.1),
    LoRARule("head.encoder.qkv", 0.0, 3),
    LoRARule("head.encoder.output"),
    LoRARule("head.encoder.feed_forward.*"),
    LoRARule("head.decoder.*.attention.output.*", 0.1),
    LoRARule("head.decoder.*"),
)
"""Where the published post-training puts adapters, with its dropout (reference: algengine.md 2.7)."""


@dataclass(frozen=True)
class AdapterConfig:
    """Adapters of a planner.

    Attributes:
        rank: r; 0 is no adapters, so that only `trainable` learns.
        alpha: scale times r.
        rules: the first that fits a layer counts.
        trainable: patterns of parameters that learn besides adapters, such as newly made heads.
    """

    rank: int = 16
    alpha: float = 1.0
    rules: Sequence[LoRARule] = HEAD_RULES
    trainable: Sequence[str] = ()

    def __post_init__(self) -> None:
        check_least("adapters", self, ("rank",), 0)
        check_positive("adapters", self, ("alpha",))


def adapt(planner: nn.Module, config: AdapterConfig) -> tuple[str, ...]:
    """Freeze a planner, give it adapters, and return the paths of the layers that have one.

    Raises:
        ConfigError: nothing would learn, or a pattern of `trainable` fits no parameter.
    """
    planner.requires_grad_(False)
    if config.rank:
        _attach_all(planner, config)
    names = dict(planner.named_parameters())
    for pattern in config.trainable:
        chosen = [n for n in names if fnmatchcase(n, pattern) and f".{CHILD}." not in n]
        if not chosen:
            raise ConfigError(f"adapters.trainable has {pattern!r}, which fits no parameter of the planner")
        for name in chosen:
            names[name].requires_grad_(True)
    if not any(p.requires_grad for p in names.values()):
        raise ConfigError(
            "nothing of the planner would learn, expected adapters.rank above 0 or adapters.trainable"
        )
    return tuple(path for path, _ in adapted(planner))


def _attach_all(planner: nn.Module, config: AdapterConfig) -> None:
    for path, module in list(planner.named_modules()):
        pointwise = isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1) and module.groups == 1
        if not (isinstance(module, nn.Linear) or pointwise):
            continue
        rule = next((r for r in config.rules if fnmatchcase(path, r.pattern)), None)
        if rule is not None:
            attach(module, config.rank, config.alpha, rule.dropout, rule.parts)


def count_trainable(planner: nn.Module) -> tuple[int, int]:
    """Return how many parameters learn, and how many there are."""
    sizes = [(p.numel(), p.requires_grad) for p in planner.parameters()]
    return sum(n for n, learns in sizes if learns), sum(n for n, _ in sizes)


def only_adapters_in_training(planner: nn.Module) -> None:
    """Put everything frozen into evaluation mode, so that policy and reference differ by the adapters alone.

    The published code leaves dropout of frozen layers on (reference: algengine.md 10.1, item 11).
    """
    planner.eval()
    for _, layer in adapted(planner):
        layer.lora.train()

"""A protocol of closed-loop evaluation as one value: rates, lengths and rules, and the protocols that have names."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simengine.errors import ConfigError
from simengine.sim.rules import NAVSIM_RULES, LoopRules
from simengine.sim.worldengine import WORLDENGINE_RULES

RULES = {"navsim": NAVSIM_RULES, "worldengine_v1": WORLDENGINE_RULES}
"""The rules of each protocol that has a name, which go with no other."""


@dataclass(frozen=True)
class Protocol:
    """How an episode runs; the defaults are the `navsim` protocol.

    Attributes:
        name: written beside every score.
        dt: time between simulation frames [s].
        decision_interval: time between plans [s].
        horizon: scored length after the first decision [s].
        lookahead: how long traffic goes on after the last scored state [s], for time to collision.
        history_length: number of ego states a planner sees, the present one included.
        history_dt: time between them [s].
        rules: everything that is no number.
    """

    name: str = "navsim"
    dt: float = 0.1
    decision_interval: float = 0.5
    horizon: float = 4.0
    lookahead: float = 1.0
    history_length: int = 4
    history_dt: float = 0.5
    rules: LoopRules = NAVSIM_RULES

    def __post_init__(self) -> None:
        published = RULES.get(self.name)
        if published is not None and self.rules is not published:
            raise ConfigError(
                f"protocol.name is {self.name!r} with the rules of another protocol, expected its own: "
                f"protocol_of({self.name!r}, ...) makes it whole"
            )
        if self.dt <= 0:
            raise ConfigError(f"protocol.dt is {self.dt}, expected seconds > 0")
        for field in ("decision_interval", "horizon", "history_dt"):
            value = getattr(self, field)
            if value <= 0 or abs(value / self.dt - round(value / self.dt)) > 1e-6:
                raise ConfigError(
                    f"protocol.{field} is {value} s, expected a positive multiple of protocol.dt = {self.dt} s"
                )
        ratio = self.horizon / self.decision_interval
        if abs(ratio - round(ratio)) > 1e-6:
            raise ConfigError(
                f"protocol.horizon is {self.horizon} s, expected a multiple of protocol.decision_interval = "
                f"{self.decision_interval} s"
            )
        if self.history_length < 1:
            raise ConfigError(f"protocol.history_length is {self.history_length}, expected at least 1")

    @property
    def steps_per_decision(self) -> int:
        """Simulation frames between two plans."""
        return round(self.decision_interval / self.dt)

    @property
    def num_decisions(self) -> int:
        """Plans asked for in one episode."""
        return round(self.horizon / self.decision_interval)

    @property
    def num_steps(self) -> int:
        """Scored simulation steps of one episode."""
        return round(self.horizon / self.dt)

    @property
    def lookahead_steps(self) -> int:
        """Simulation frames after the last scored one."""
        return round(self.lookahead / self.dt)

    @property
    def warm_up_steps(self) -> int:
        """Frames before the first decision in which traffic already moves by its model: the history, or none."""
        return round((self.history_length - 1) * self.history_dt / self.dt) if self.rules.warm_up else 0


NAVSIM = Protocol()

WORLDENGINE_V1 = Protocol(name="worldengine_v1", dt=0.5, lookahead=0.0, rules=WORLDENGINE_RULES)
"""Four frames of history and eight decisions at 2 Hz, and no traffic after the last frame."""

PROTOCOLS = {protocol.name: protocol for protocol in (NAVSIM, WORLDENGINE_V1)}


def protocol_of(name: str, **changes: float) -> Protocol:
    """Return the protocol called `name`, with other numbers where `changes` gives them.

    Raises:
        ConfigError: there is no such protocol, or the numbers do not fit each other.
    """
    if name not in PROTOCOLS:
        raise ConfigError(f"protocol.name is {name!r}, expected one of {', '.join(PROTOCOLS)}")
    return replace(PROTOCOLS[name], **changes)

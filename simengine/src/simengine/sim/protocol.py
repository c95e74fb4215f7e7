"""The rules of a closed-loop evaluation: rates, horizon and history."""

from __future__ import annotations

from dataclasses import dataclass

from simengine.errors import ConfigError


@dataclass(frozen=True)
class Protocol:
    """Rates and lengths of an episode; the defaults are the `navsim` protocol.

    Attributes:
        name: written beside every score.
        dt: time between simulation frames [s].
        decision_interval: time between plans [s].
        horizon: scored length after the first decision [s].
        lookahead: how long traffic goes on after the last scored state [s], for time to collision.
        history_length: number of ego states a planner sees, the present one included.
        history_dt: time between them [s].
    """

    name: str = "navsim"
    dt: float = 0.1
    decision_interval: float = 0.5
    horizon: float = 4.0
    lookahead: float = 1.0
    history_length: int = 4
    history_dt: float = 0.5

    def __post_init__(self) -> None:
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

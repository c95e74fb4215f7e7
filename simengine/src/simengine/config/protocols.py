"""The keys `protocol.*`, and the keys whose usual value depends on the protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

from simengine.agents.traffic import IdmTraffic, PdmClosedTraffic, TrafficModel
from simengine.config.scenes import usual_composition
from simengine.config.schema import ProtocolConfig, RunConfig
from simengine.errors import ConfigError
from simengine.scenario.scenario import Scenario
from simengine.sim.protocol import Protocol, protocol_of

TRAFFIC_AGENTS = ("idm", "pdm_closed")


def make_protocol(config: RunConfig) -> Protocol:
    """Return the protocol of a run.

    Raises:
        ConfigError: there is no such protocol, or its numbers do not fit each other.
    """
    given = {key: value for key, value in vars(config.protocol).items() if value is not None}
    return protocol_of(**given)


def settled(config: RunConfig) -> RunConfig:
    """Return `config` with the usual values of its protocol where it leaves them open.

    Raises:
        ConfigError: as `make_protocol`.
    """
    protocol = make_protocol(config)
    rules = protocol.rules
    return replace(
        config,
        controller=config.controller or next(iter(rules.trackers)),
        metric=config.metric or rules.metric,
        protocol=ProtocolConfig(
            **{item.name: getattr(protocol, item.name) for item in fields(ProtocolConfig)}
        ),
        render=replace(config.render, composition=usual_composition(config)),
        rewards=replace(config.rewards, mode=config.rewards.mode or rules.rewards),
    )


def traffic_model(config: RunConfig) -> Callable[[Scenario], TrafficModel]:
    """Return what makes the traffic of a run: scenario at the simulation rate -> model."""
    if config.traffic == "R" and config.traffic_agents == "pdm_closed":
        return PdmClosedTraffic
    return make_protocol(config).rules.traffic[config.traffic]


def check_protocol(config: RunConfig) -> None:
    """Raise `ConfigError` if the protocol has no such traffic or controller."""
    rules = make_protocol(config).rules
    choices = {
        "traffic": (config.traffic, rules.traffic),
        "controller": (config.controller, rules.trackers),
    }
    for key, (value, known) in choices.items():
        if value not in known:
            raise ConfigError(
                f"{key} is {value!r}, expected one of {', '.join(known)} in the protocol {config.protocol.name}"
            )
    if config.traffic_agents not in TRAFFIC_AGENTS:
        raise ConfigError(
            f"traffic_agents is {config.traffic_agents!r}, expected one of {', '.join(TRAFFIC_AGENTS)}"
        )
    if config.traffic_agents != "idm" and rules.traffic.get("R") is not IdmTraffic:
        raise ConfigError(
            f"traffic_agents is {config.traffic_agents!r} in the protocol {config.protocol.name}, expected idm: it has "
            "drivers of its own; use the protocol navsim"
        )

"""The keys `protocol.*`, and the keys whose usual value depends on the protocol."""

from __future__ import annotations

from dataclasses import fields, replace

from simengine.config.schema import ProtocolConfig, RunConfig
from simengine.errors import ConfigError
from simengine.sim.protocol import Protocol, protocol_of


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
        rewards=replace(config.rewards, mode=config.rewards.mode or rules.rewards),
    )


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

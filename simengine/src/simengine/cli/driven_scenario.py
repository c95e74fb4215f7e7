"""The scenario behind a record of a run."""

from __future__ import annotations

from simengine.config.build import open_handles
from simengine.config.schema import RunConfig
from simengine.datatypes.record import RolloutRecord
from simengine.errors import ConfigError
from simengine.scenario.resample import resample
from simengine.scenario.scenario import Scenario


def scenario_of(config: RunConfig, record: RolloutRecord) -> Scenario:
    """Return the scenario in which a record of a run was driven, at the rate of the record.

    Raises:
        ConfigError: it is not in the split of the run, or has changed since.
    """
    handles = {handle.token: handle for handle in open_handles(config)}
    if record.token not in handles:
        raise ConfigError(
            f"the record is of scenario {record.token!r}, which is not in split {config.split} of its run, expected "
            f"one of {len(handles)} such as {next(iter(handles), '')!r}: move it back to the run it came from"
        )
    scenario = resample(handles[record.token].load(), record.dt)
    start = int(scenario.timestamps_us[scenario.initial_frame])
    if int(record.timestamps_us[0]) != start:
        raise ConfigError(
            f"the record of {record.token} starts at {int(record.timestamps_us[0])} us, expected {start} us as in the "
            "scenario: the scenario has changed since, run it again"
        )
    return scenario

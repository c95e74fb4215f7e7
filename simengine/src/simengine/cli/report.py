"""Write report.html of a finished run again."""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from simengine.cli.episode_verdict import episode_verdict
from simengine.config.build import open_handles
from simengine.config.schema import RunConfig
from simengine.datatypes.observation_log import ObservationLog
from simengine.datatypes.record import RolloutRecord
from simengine.datatypes.record_io import load_record
from simengine.errors import ConfigError
from simengine.metrics.report import write_report
from simengine.metrics.row import ScoreRow
from simengine.metrics.table import read_scores_csv
from simengine.runner.run_directory import RunDirectory
from simengine.scenario.resample import resample
from simengine.scenario.scenario import Scenario

EXAMPLE = """example:
  simengine report experiments/closed_loop_exps/vadv2_demo/demo_NR"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simengine report`."""
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")


def execute(arguments: argparse.Namespace) -> int:
    """Write report.html from what the run left on disk."""
    config = read_config(arguments.run)
    if not (arguments.run / "scores.csv").exists():
        raise ConfigError(
            f"{arguments.run} has no scores.csv, expected a finished run: run it again to resume"
        )
    write_run_report(arguments.run, config, read_scores_csv(arguments.run / "scores.csv"))
    print(f"wrote {arguments.run / 'report.html'}")
    return 0


def read_config(run: Path) -> RunConfig:
    """Return the configuration that the run in folder `run` was started with.

    Raises:
        ConfigError: there is none, or it is not one of this version.
    """
    path = run / "config.yaml"
    if not path.exists():
        raise ConfigError(f"{run} has no config.yaml, expected the folder of a run of `simengine run`")
    try:
        config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(RunConfig), OmegaConf.load(path)))
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        reason = " ".join(str(error).split("\n")[0].split())
        raise ConfigError(f"{path} is no configuration of a run ({reason}): run it again") from error
    assert isinstance(config, RunConfig)
    return config


def write_run_report(root: Path, config: RunConfig, rows: list[ScoreRow]) -> None:
    """Write `root/report.html` for the given rows."""
    directory = RunDirectory(root)
    handles = {handle.token: handle for handle in open_handles(config)}

    def scenario_of(token: str) -> Scenario:
        return resample(handles[token].load(), config.protocol.dt)

    def record_of(token: str) -> RolloutRecord:
        return load_record(directory.record(token))

    def front_images(token: str) -> list[bytes]:
        path = directory.observations(token)
        if not path.exists():
            return []
        log = ObservationLog.load(path)
        names = [camera.name for camera in log.cameras]
        front = names.index("CAM_F0") if "CAM_F0" in names else 0
        return [rig[front] for rig in log.jpegs]

    animations = {} if config.record.rollouts else {"max_animations": 0}
    write_report(
        root / "report.html",
        rows,
        record_of,
        scenario_of,
        front_images,
        verdict_of=episode_verdict,
        **animations,
    )

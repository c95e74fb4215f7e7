"""Drive the scenarios of a split in closed loop and score them."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from rich.console import Console

from simengine import __version__
from simengine.cli.progress import RunningTokens, track_rows
from simengine.cli.report import write_run_report
from simengine.cli.run_rows import drive
from simengine.config.build import (
    check,
    open_handles,
    planner_identity,
    run_directory,
    scenario_ids,
)
from simengine.config.compose import compose_noted, presets, to_yaml
from simengine.config.openscene import openscene_folder
from simengine.config.rewards import reward_identity
from simengine.config.schema import RunConfig
from simengine.datatypes.record_io import load_record
from simengine.export.tables import write_tables
from simengine.metrics.console import print_scores
from simengine.metrics.row import ScoreRow
from simengine.metrics.table import write_compat_csv, write_scores_csv, write_summary_json
from simengine.metrics.trust import trust_summary, write_trust_json
from simengine.rewards.pdms_pkl import index_folder, write_pdms_index
from simengine.runner.run_directory import RunDirectory

EXAMPLE = """examples:
  simengine run ego=log_replay render.backend=none controller=perfect
  simengine run split=demo bridge.address=ipc:///tmp/planner.sock worker=ray num_workers=2
  simengine run --config-name record split=common_train num_scenarios=8
  simengine run --config-name default_runner agent_policy=trajectory_policy with_render_manager=false
  simengine run --show                      # print the resolved configuration and stop"""

RESUME = "run it again to resume"

# Keys that change how a run is carried out but not what comes out of it.
_IRRELEVANT_TO_RESULTS = (
    "num_scenarios", "output_dir", "data_output_dir", "worker", "num_workers", "gpus_per_worker",
    "cpus_per_worker", "retries", "resume", "keep_going", "report", "bridge",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simengine run`."""
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="override a key of the preset")
    parser.add_argument(
        "--config-name", default="closed_loop", help=f"preset: {', '.join(presets())} (default: closed_loop)"
    )
    parser.add_argument("--show", action="store_true", help="print the resolved configuration and stop")


def execute(arguments: argparse.Namespace) -> int:
    """Run a split; exit code 1 if a scenario failed, unless keep_going."""
    composed = compose_noted(arguments.overrides, arguments.config_name)
    config = composed.run
    check(config)
    if arguments.show:
        print(to_yaml(config), *(f"# {note}\n" for note in composed.notes), sep="", end="")
        return 0
    handles = open_handles(config)
    directory = run_directory(config)
    console = Console(stderr=True)
    for note in composed.notes:
        console.print(note, highlight=False, markup=False)
    with console.status("waiting for the planner"):
        fingerprint = _fingerprint(config) | {"planner": planner_identity(config)} | reward_identity(config)
    directory.open(fingerprint, resume=config.resume)
    directory.write(directory.root / "config.yaml", to_yaml(config))
    directory.write(directory.root / "run.json", json.dumps(_provenance(), indent=1))

    done = directory.finished([handle.token for handle in handles])
    finished = {row.token for row in done}
    waiting = [handle for handle in handles if handle.token not in finished]
    running = RunningTokens()
    # Closed here, so that an interrupted run has ended its workers before it says so.
    with closing(drive(config, waiting, directory, running.watch)) as rows:
        fresh = list(track_rows(rows, len(handles), len(done), console, running))
    return _conclude(config, directory, done + fresh)


def _conclude(config: RunConfig, directory: RunDirectory, rows: list[ScoreRow]) -> int:
    """Write tables and report; return the exit code."""
    rows = sorted(rows, key=lambda row: row.token)
    root = directory.root
    failed = [row for row in rows if row.status != "ok"]
    if config.metric != "none":
        write_scores_csv(root / "scores.csv", rows)
        published = Path(config.data_output_dir) if config.data_output_dir else root
        averages = published / f"all_scenes_pdm_averages_{config.traffic}.csv"
        write_compat_csv(averages, rows, scenario_ids(config))
        write_summary_json(root / "summary.json", rows)
        if config.report:
            write_run_report(root, config, rows)
        print_scores(rows)
    if config.render.trust:
        _conclude_trust(directory, rows)
    openscene = openscene_folder(config, root)
    if openscene is not None:
        write_tables(openscene, config.traffic, rows if config.metric != "none" else [])
    elif config.rewards.vocabulary is not None and config.rewards.format != "native":
        files = index_folder(directory.pdms_pkl, root)
        write_pdms_index(root / f"all_scenes_pdm_pkl_paths_{config.traffic}.csv", files)
    for row in failed if config.metric == "none" else []:
        print(f"failed {row.token}: {row.error}")
    print(f"results in {root}")
    return 1 if failed and not config.keep_going else 0


def _conclude_trust(directory: RunDirectory, rows: list[ScoreRow]) -> None:
    """Write how far the images of the run can be trusted, and say so in one line."""
    records = (load_record(directory.record(row.token)) for row in rows if row.status == "ok")
    summary = trust_summary({r.token: r.trust for r in records if r.trust is not None}, rows)
    write_trust_json(directory.root / "trust.json", summary)
    print(
        f"images of {summary['trusted']} of {len(summary['scenarios'])} scenarios have a render trust of at least "
        f"{summary['threshold']} throughout"
    )


def _fingerprint(config: RunConfig) -> dict:
    """Return what results depend on, so that a resumed run cannot mix two configurations."""
    from omegaconf import OmegaConf

    values = OmegaConf.to_container(OmegaConf.structured(config))
    assert isinstance(values, dict)
    return {key: value for key, value in values.items() if key not in _IRRELEVANT_TO_RESULTS}


def _provenance() -> dict:
    here = Path(__file__).resolve().parent
    git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=False)
    return {
        "simengine": __version__,
        "git": git.stdout.strip() or None,
        "python": sys.version.split()[0],
        "command": sys.argv,
    }

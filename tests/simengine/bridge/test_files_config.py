"""The `files` transport from the command line: keys, contradictions, and a run of the built-in world."""

import pytest

from bridge_factories import PATIENCE
from files_factories import make_vocabulary
from files_reference import ReferencePlanner
from simengine.cli.main import main
from simengine.config.build import check, planner_identity
from simengine.config.compose import compose_run
from simengine.errors import ConfigError

KEYS = ["bridge.transport=files"]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["worker=processes", "num_workers=2"], "one scene at a time"),
        (["protocol.history_dt=0.1"], "one rate of frames"),
        (["bridge.transport=pigeon"], "expected one of socket, files"),
    ],
)
def test_what_the_protocol_cannot_do_is_refused(overrides, said):
    with pytest.raises(ConfigError, match=said):
        check(compose_run([*KEYS, *overrides]))


def test_nobody_is_waited_for_before_the_run():
    assert planner_identity(compose_run(KEYS)) == {"transport": "files"}


def test_a_run_of_the_built_in_world_with_a_foreign_planner(tmp_path):
    planner = ReferencePlanner(tmp_path, make_vocabulary(), lambda infos, images: 12)
    planner.start()
    arguments = [
        "run", *KEYS, "split=demo", "num_scenarios=2", f"output_dir={tmp_path}", "render.width_px=32",
        "render.height_px=18", "report=false", "bridge.plan_timeout=120",
    ]  # fmt: skip
    assert main(arguments) == 0
    planner.join(PATIENCE)
    assert planner.error is None
    assert [*planner.seen] == ["demo-0000", "demo-0001"]
    assert (tmp_path / "scores.csv").read_text().count(",ok,") == 2
    assert (tmp_path / "WE_output" / "simulation_completed.flag").exists()

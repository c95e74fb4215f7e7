import json

import numpy as np
import pytest

from algengine.cli.main import main
from algengine.doctor.cameras import examine_cameras
from algengine.doctor.driving import driven, examine_driving
from algengine.doctor.examine import examine, is_sound
from algengine.doctor.motions import standard_motions
from algengine.doctor.road import make_rig
from algengine.doctor.show import Stage
from algengine.doctor.target import InProcessTarget, SocketTarget
from bridge_factories import serving
from doctor_planners import (
    Accelerator,
    Cautious,
    LogReplay,
    Noisy,
    PoseKeeper,
    RoadFollower,
    SpeedKeeper,
    TurnKeeper,
    Willful,
    Wrapped,
    images_changed,
    poses_changed,
)
from doctor_planted import PLANTED, PLANTED_IMAGES
from simengine.bridge.client import PlannerClient

CORRECT = {
    "keeps speed and turn": TurnKeeper,
    "the same at 2 Hz": lambda: TurnKeeper(0.5, 8),
    "from poses": PoseKeeper,
    "from poses at 2 Hz": lambda: PoseKeeper(0.5, 8),
    "keeps speed": SpeedKeeper,
    "keeps speed at 2 Hz": lambda: SpeedKeeper(0.5, 8),
    "keeps acceleration": Accelerator,
    "replays a log": lambda: LogReplay(standard_motions()),
    "has a will of its own": Cautious,
    "a longer horizon": lambda: TurnKeeper(0.1, 60),
}
CONSEQUENCES = {
    "2 Hz called 10 Hz": {"horizon-short"},
    "one memory for all": {"one-step-late"},
}
"""Mistakes that another one brings with it."""


def blind(planner) -> Stage:
    return Stage(InProcessTarget(planner), cameras=())


def mistakes(findings) -> list[str]:
    return [finding.mistake for finding in findings if finding.level == "error"]


@pytest.fixture(scope="module")
def rig():
    return make_rig()


@pytest.fixture(scope="module")
def pictures():
    """Painted once for all tests."""
    return {}


@pytest.mark.parametrize("name", CORRECT)
def test_correct_planners_are_sound(name):
    findings = examine(blind(CORRECT[name]()))
    assert is_sound(findings), findings
    assert all(finding.level in ("ok", "info") for finding in findings), findings


@pytest.mark.parametrize("name", PLANTED)
def test_planted_mistakes_are_named(name):
    make, mistake = PLANTED[name]
    findings = examine(blind(make()))
    found = mistakes(findings)
    assert mistake in found
    assert set(found) - {mistake} <= CONSEQUENCES.get(name, set())
    named = next(finding for finding in findings if finding.mistake == mistake)
    assert all((named.observed, named.expected, named.meaning, named.where))


@pytest.mark.parametrize("name", ["x and y swapped", "heading clockwise", "world frame", "centimetres"])
@pytest.mark.parametrize("base", [PoseKeeper, SpeedKeeper, Cautious])
def test_other_planners_have_the_same_mistakes(name, base):
    """Planners that plan otherwise than the doctor would: the mistake stands out nevertheless."""
    if base is SpeedKeeper and name == "heading clockwise":
        pytest.skip("its headings are always 0")
    make, mistake = PLANTED[name]
    wrapped = Wrapped(base(), make().plan)
    assert mistakes(examine(blind(wrapped))) == [mistake]


@pytest.mark.parametrize("seed", range(24))
def test_planners_with_a_will_of_their_own_are_not_accused(seed):
    stage = blind(Willful(seed))
    findings = examine_driving(stage, standard_motions(), driven(stage, standard_motions()))
    assert is_sound(findings), findings


@pytest.mark.parametrize(
    "name", ["x backward", "box centre", "world frame", "reversed in time", "centimetres"]
)
@pytest.mark.parametrize("seed", range(4))
def test_mistakes_of_planners_with_a_will_of_their_own_are_named(seed, name):
    make, mistake = PLANTED[name]
    stage = blind(Wrapped(Willful(seed), make().plan))
    assert mistakes(examine_driving(stage, standard_motions(), driven(stage, standard_motions()))) == [
        mistake
    ]


def test_headings_of_the_way_from_the_pose_before_are_a_warning():
    """Not the slip of a box centre: that does not grow with speed."""

    def of_the_way(poses):
        steps = np.diff(poses[:, :2], axis=0, prepend=np.zeros((1, 2)))
        moves = np.hypot(*steps.T) > 1e-6
        return np.column_stack([poses[:, :2], np.where(moves, np.arctan2(steps[:, 1], steps[:, 0]), 0.0)])

    findings = examine(blind(Wrapped(TurnKeeper(0.5, 8), poses_changed(of_the_way))))
    assert is_sound(findings)
    assert [f.mistake for f in findings if f.level == "warning"] == ["heading-half-step"]


def test_two_mistakes_at_once_are_both_named():
    planner = Wrapped(
        TurnKeeper(), poses_changed(lambda poses: np.column_stack([100 * poses[:, :2], -poses[:, 2]]))
    )
    assert mistakes(examine(blind(planner))) == ["centimetres", "heading-sign"]


def test_rounding_of_a_gpu_is_no_chance():
    findings = examine(blind(Noisy(TurnKeeper(), 1e-5)))
    assert is_sound(findings)


def test_nonsense_is_a_warning_without_a_name():
    rng = np.random.default_rng(0)
    fixed = 20 * rng.normal(size=(40, 3))
    findings = examine(blind(Wrapped(TurnKeeper(), poses_changed(lambda poses: fixed))))
    assert [f.mistake for f in findings if f.level == "warning"] == ["unexplained"]
    assert is_sound(findings)


def test_a_planner_that_only_fails_is_told_so():
    class Broken(TurnKeeper):
        def poses(self, observation):
            raise RuntimeError("no weights")

    findings = examine(blind(Broken()))
    assert [finding.mistake for finding in findings] == ["no-plan"]
    assert "no weights" in findings[0].observed


@pytest.mark.parametrize("sides", [True, False])
def test_a_planner_that_sees_is_sound(sides, rig, pictures):
    findings = examine(Stage(InProcessTarget(RoadFollower(rig, sides)), cameras=rig, pictures=pictures))
    assert is_sound(findings), findings
    assert findings[-1].level == "ok"


@pytest.mark.parametrize("name", PLANTED_IMAGES)
def test_planted_mistakes_with_images_are_named(name, rig, pictures):
    change, mistake = PLANTED_IMAGES[name]
    planner = Wrapped(RoadFollower(rig), told=images_changed(change))
    finding = examine_cameras(Stage(InProcessTarget(planner), cameras=rig, pictures=pictures))
    assert finding.mistake == mistake
    assert finding.level == "error"


def test_a_blind_planner_is_only_mentioned(rig, pictures):
    finding = examine_cameras(Stage(InProcessTarget(TurnKeeper()), cameras=rig, pictures=pictures))
    assert (finding.level, finding.observed) == ("info", "images are not used: black ones give the same plan")


def test_a_planner_that_reacts_to_something_else_is_not_accused(rig, pictures):
    """It steers by the noise of single pixels: no exchange of images makes it follow the road."""

    def poses(observation):
        value = float(np.sin(observation.images["CAM_F0"].astype(float).sum()))
        plan = TurnKeeper().poses(observation)
        return plan + [0.0, value, 0.0]

    planner = TurnKeeper()
    planner.poses = poses
    finding = examine_cameras(Stage(InProcessTarget(planner), cameras=rig, pictures=pictures))
    assert (finding.level, finding.mistake) == ("info", "")


@pytest.mark.parametrize(
    ("name", "code"),
    [(None, 0), ("heading in degrees", 1), ("batch in the wrong order", 1), ("not finite", 1)],
)
def test_behind_a_socket(name, code, tmp_path, capsys):
    planner = PLANTED[name][0]() if name else TurnKeeper()
    address = f"ipc://{tmp_path}/p.sock"
    output = tmp_path / "findings.json"
    # A window in which simultaneous questions meet in one batch, however slow this machine is.
    with serving(planner, address, batch_window=0.5):
        arguments = ["--address", address, "--image-size", "0x0", "--output", str(output)]
        assert main(["doctor", *arguments]) == code
    said = capsys.readouterr().out
    found = json.loads(output.read_text())
    assert found["sound"] == (code == 0)
    named = [finding["mistake"] for finding in found["findings"] if finding["level"] == "error"]
    assert named == ([PLANTED[name][1]] if name else [])
    assert ("no mistake found" in said) == (code == 0)


def test_socket_and_process_give_the_same_findings(tmp_path):
    planner = Wrapped(TurnKeeper(), poses_changed(lambda poses: poses * [1, -1, 1]))
    address = f"ipc://{tmp_path}/p.sock"
    with serving(planner, address):
        target = SocketTarget(lambda: PlannerClient(address))
        try:
            behind = examine(Stage(target, cameras=()))
        finally:
            target.close()
    assert behind == examine(blind(planner))


def test_an_in_process_function(capsys, tmp_path, monkeypatch):
    (tmp_path / "my_planners.py").write_text("from doctor_planners import TurnKeeper\n\nmake = TurnKeeper\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["doctor", "--in-process", "my_planners:make", "--image-size", "64x36"]) == 0
    assert "images are not used" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--in-process", "nowhere:make"], "cannot be imported"),
        (["--in-process", "json"], "cannot be imported"),
        (["--in-process", "json:loads", "--image-size", "big"], "expected WIDTHxHEIGHT"),
        (["--in-process", "json:loads", "--history", "1"], "expected 2 or more"),
        (["--in-process", "json:loads"], "a function without arguments"),
        (["--in-process", "os:getcwd"], "makes a str, expected a planner"),
        (["--in-process", "json:loads", "--output", "README.txt"], "expected a name that ends in .json"),
        (["--address", "ipc:///nowhere/p.sock", "--timeout", "0.2"], "no planner greeted"),
    ],
)
def test_wrong_arguments_are_one_sentence(arguments, said, capsys):
    assert main(["doctor", *arguments]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


class Remembering:
    """A planner that is asked once for each situation: what it answers again is what it answered."""

    def __init__(self, planner) -> None:
        self.planner, self.name, self.known = planner, planner.name, {}

    def plan_batch(self, observations):
        return [self.one(observation) for observation in observations]

    def one(self, seen):
        told = (seen.ego_pose, seen.ego_history, seen.velocity_history, seen.command_history)
        key = (
            seen.step,
            *(array.tobytes() for array in told),
            *(i[60].tobytes() for i in seen.images.values()),
        )
        if key not in self.known:
            (self.known[key],) = self.planner.plan_batch([seen])
        return self.known[key]

    def forget(self, token):
        self.planner.forget(token)


@pytest.fixture(scope="module")
def shipped():
    from algengine.serving.load import load_shipped

    return Remembering(load_shipped("vadv2_demo"))


@pytest.mark.mm
@pytest.mark.slow
def test_the_shipped_planner_is_sound(shipped, rig, pictures):
    """Its temporal memory is bypassed in repeated questions only; see the docs for a run without `Remembering`."""
    findings = examine(Stage(InProcessTarget(shipped), cameras=rig, pictures=pictures))
    assert is_sound(findings), findings
    assert {finding.level for finding in findings} <= {"ok", "info"}, findings


@pytest.mark.mm
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "x and y swapped",
        "y to the right",
        "heading clockwise",
        "heading in degrees",
        "heading zero",
        "box centre",
        "world frame",
        "frame of the step before",
        "centimetres",
        "present first",
        "reversed in time",
        "increments",
    ],
)
def test_mistakes_planted_into_the_shipped_planner_are_named(name, shipped, rig, pictures):
    make, mistake = PLANTED[name]
    stage = Stage(InProcessTarget(Wrapped(shipped, make().plan)), cameras=rig, pictures=pictures)
    motions = standard_motions()
    findings = examine_driving(stage, motions, driven(stage, motions))
    assert mistakes(findings) == [mistake]

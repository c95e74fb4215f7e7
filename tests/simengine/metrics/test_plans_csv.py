"""Reading plans: what is accepted, and one sentence for everything that is not."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from simengine.errors import PlanError
from simengine.metrics.plans_csv import PlanTable, read_plans, require_known

HEADER = "token,t,x,y,yaw\n"


def read(tmp_path: Path, content: str | bytes) -> PlanTable:
    path = tmp_path / "plans.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_plans(path)


def lines(token: str, times: list[float], *, x: float = 1.0) -> str:
    return "".join(f"{token},{t},{x * t},0.5,0.01\n" for t in times)


@pytest.mark.parametrize(
    ("count", "dt"), [(8, 0.5), (40, 0.1), (1, 0.5), (1, 4.0), (5, 0.5), (80, 0.1), (400, 0.01)]
)
def test_even_plans_of_any_length(tmp_path: Path, count: int, dt: float) -> None:
    times = [round(dt * (k + 1), 6) for k in range(count)]
    plan = read(tmp_path, HEADER + lines("a", times)).plans["a"]
    assert plan.dt == pytest.approx(dt, abs=1e-9)
    np.testing.assert_allclose(plan.poses, [[t, 0.5, 0.01] for t in times])


def test_each_token_has_its_own_step_and_lines_may_be_in_any_order(tmp_path: Path) -> None:
    a, b = lines("a", [0.5, 1.0, 1.5]), lines("b", [0.1, 0.2])
    mixed = [*a.splitlines(), *b.splitlines()]
    expected = read(tmp_path, HEADER + a + b).plans
    for order in itertools.permutations(mixed):
        plans = read(tmp_path, HEADER + "\n".join(order)).plans
        for token in ("a", "b"):
            np.testing.assert_array_equal(plans[token].poses, expected[token].poses)
            assert plans[token].dt == expected[token].dt


def test_other_columns_orders_line_ends_and_byte_order_marks(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbfyaw, x,y ,speed,t,token\r\n0.1,2,3,99,0.5, a \r\n\r\n"
    plans = read(tmp_path, content).plans
    np.testing.assert_array_equal(plans["a"].poses, [[2.0, 3.0, 0.1]])


def test_times_of_milliseconds_are_even_enough(tmp_path: Path) -> None:
    plan = read(tmp_path, HEADER + lines("a", [0.333, 0.667, 1.0])).plans["a"]
    assert plan.dt == pytest.approx(1 / 3, abs=1e-6)


BROKEN = {
    "empty": ("", "is empty"),
    "blank": ("\n \n", "is empty"),
    "header only": (HEADER, "no poses"),
    "no yaw": ("token,t,x,y\na,0.5,1,0\n", "no column yaw"),
    "no header": ("a,0.5,1,0,0\n", "no column token"),
    "semicolons": ("token;t;x;y;yaw\na;0.5;1;0;0\n", "no column"),
    "twice x": ("token,t,x,x,y,yaw\n", "two columns x"),
    "NaN": (HEADER + "a,0.5,1,0,0\na,1.0,1,nan,0\n", "line 3: y is nan"),
    "infinite": (HEADER + "a,0.5,inf,0,0\n", "line 2: x is inf"),
    "word": (HEADER + "a,0.5,1,left,0\n", "line 2: y is 'left'"),
    "empty cell": (HEADER + "a,0.5,1,,0\n", "line 2: y is ''"),
    "few cells": (HEADER + "a,0.5,1,0\n", "line 2: 4 cells, expected 5"),
    "many cells": (HEADER + "a,0.5,1,0,0,0\n", "line 2: 6 cells, expected 5"),
    "no token": (HEADER + ",0.5,1,0,0\n", "line 2: the token is empty"),
    "starts at 0": (HEADER + lines("a", [0.0, 0.5]), "leave out the pose of the decision itself"),
    "before": (HEADER + lines("a", [-0.5, 0.5]), "t = -0.5 s (line 2)"),
    "late start": (HEADER + lines("a", [1.0, 1.5, 2.0]), "pose 1 is at t = 1 s (line 2), expected 0.5 s"),
    "gap": (HEADER + lines("a", [0.5, 1.0, 2.0]), "pose 3 is at t = 2 s (line 4), expected 1.5 s"),
    "uneven": (HEADER + lines("a", [0.5, 1.1, 1.5]), "expected"),
    "twice": (HEADER + lines("a", [0.5, 1.0, 1.0]), "lines 3 and 4 are both at t = 1 s"),
    "milliseconds": (HEADER + lines("a", [500, 1000], x=0.001), "poses are 500 s apart"),
    "too fine": (HEADER + lines("a", [0.005, 0.01]), "poses are 0.005 s apart"),
    "map coordinates": (HEADER + "a,0.5,586122.5,4477501.0,0\n", "expected metres in the ego frame"),
    "degrees": (HEADER + "a,0.5,1,0,45\n", "yaw is 45, expected radians"),
    "open quote": (HEADER + '"a,0.5,1,0,0\n', "line 2"),
    "Latin 1": (HEADER.encode() + b"caf\xe9,0.5,1,0,0\n", "is not UTF-8"),
    "UTF-16": ((HEADER + lines("a", [0.5])).encode("utf-16"), "is not UTF-8"),
    "binary": (bytes(range(256)), "is not UTF-8"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_malformed_files_are_one_sentence(tmp_path: Path, kind: str) -> None:
    content, words = BROKEN[kind]
    with pytest.raises(PlanError) as error:
        read(tmp_path, content)
    sentence = str(error.value)
    assert words in sentence
    assert "plans.csv" in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_files_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        read_plans(tmp_path / name)


def test_unknown_tokens_are_named_and_counted(tmp_path: Path) -> None:
    table = read(tmp_path, HEADER + lines("a", [0.5]) + lines("x", [0.5]) + lines("y", [0.5]))
    require_known(table, ["a", "x", "y", "z"], "mine")
    with pytest.raises(
        PlanError, match=r"line 3: token 'x' is not in split mine \(2 of 3 tokens are unknown\)"
    ):
        require_known(table, ["a", "b"], "mine")
    with pytest.raises(PlanError, match="'a'"):
        require_known(table, [], "mine")

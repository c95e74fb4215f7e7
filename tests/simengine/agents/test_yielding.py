"""Giving way at run time against its slow twin, and circles of waiting by hand."""

import numpy as np
import pytest

from oracles.yielding import Giving, User
from simengine.agents.idm import IdmParams
from simengine.agents.right_of_way import NO_RIGHT_OF_WAY
from simengine.agents.roster import make_roster
from simengine.agents.untie import HARD, QUEUE, SOFT, untie
from simengine.agents.yielding import Users, flat_rules, travel_time, yielding
from traffic_factories import ARMS, make_crossing, make_meeting, make_roundabout

PARAMS = IdmParams()


def test_travel_time():
    assert travel_time(-1.0, 5.0, 1.5, 10.0) == 0.0
    assert travel_time(20.0, 10.0, 1.5, 10.0) == pytest.approx(2.0)
    # From standstill: 12 m = 1.5 t^2 / 2, t = 4.
    assert travel_time(12.0, 0.0, 1.5, 10.0) == pytest.approx(4.0)
    # Up to 6 m/s takes 4 s and 12 m; 18 m more take 3 s.
    assert travel_time(30.0, 0.0, 1.5, 6.0) == pytest.approx(7.0)
    # Whoever is too fast already does not slow down.
    assert travel_time(20.0, 10.0, 1.5, 5.0) == pytest.approx(2.0)


def packed(users):
    columns = [
        [getattr(user, name) for user in users]
        for name in (
            "row",
            "s",
            "speed",
            "half_length",
            "wanted",
            "hold",
            "gap",
            "lead",
            "lead_speed",
            "claims",
        )
    ]
    kinds = [np.int64, float, float, float, float, float, float, np.int64, float, bool]
    return Users(*(np.array(column, kind) for column, kind in zip(columns, kinds, strict=True)))


def fast_limits(rules, users):
    user_of_row = np.full(len(rules.rank), -1)
    for k, user in enumerate(users):
        user_of_row[user.row] = k
    drivers = sum(user.driven for user in users)
    return yielding(flat_rules(rules), user_of_row, packed(users), drivers, PARAMS.as_array())


MAPS = {
    "crossing": make_crossing(),
    "stops": make_crossing(stops=ARMS),
    "minor": make_crossing(stops=["north"]),
    "roundabout": make_roundabout(),
}


@pytest.mark.parametrize("name", MAPS)
def test_agrees_with_slow_twin(name):
    rng = np.random.default_rng(sum(map(ord, name)))
    lanes = [lane for lane in MAPS[name].lanes if lane.endswith("_in")]
    starts = [(lane, s, 6.0) for lane in lanes for s in (70.0, 55.0, 40.0)]
    rules = make_roster(make_meeting(MAPS[name], starts)).right_of_way
    waited, untied = 0, 0
    for _ in range(150):
        rows = rng.permutation(len(starts))[: rng.integers(2, 11)]
        users = [
            User(
                int(row),
                float(rng.uniform(0.0, 80.0)),
                float(rng.choice([0.0, rng.uniform(0.0, 12.0)])),
                float(rng.uniform(2.0, 5.0)),
                10.0,
                gap=float(rng.choice([np.inf, rng.uniform(0.0, 15.0)])),
                lead=int(rng.integers(-1, len(rows) - 1)),
                lead_speed=float(rng.choice([0.0, 4.0])),
            )
            for row in rows
        ]
        for k, user in enumerate(users):
            user.hold = float(rng.choice([np.inf, user.front + rng.uniform(0.0, 20.0)], p=[0.8, 0.2]))
            user.lead = -1 if user.lead == k else user.lead
        if rng.random() < 0.5:
            users[-1].driven, users[-1].claims = False, bool(rng.integers(2))
        twin = Giving(rules, users, PARAMS)
        slow = twin.limits()
        waited += np.isfinite(slow).sum()
        areas, sides = np.arange(len(rules.first)).repeat(2), np.tile([0, 1], len(rules.first))
        untied += len([1 for area, side in zip(areas, sides, strict=True) if twin.wait(area, side)]) - len(
            twin.waits()
        )
        assert fast_limits(rules, users) == pytest.approx(slow, abs=1e-9)
    assert waited > 50
    assert untied > 0 or name in ("minor", "roundabout")


def test_nobody_waits_without_conflicts():
    users = [User(0, 10.0, 5.0, 2.3, 10.0), User(1, 10.0, 5.0, 2.3, 10.0)]
    rules = flat_rules(NO_RIGHT_OF_WAY)
    assert np.isinf(yielding(rules, np.array([0, 1]), packed(users), 2, PARAMS.as_array())).all()


def freed(entries, speed=(0.0,) * 4, rank=(0, 1, 2, 3)):
    """Return the indices of entries (who, whom, kind) that need not be minded."""
    who, whom, kind = (np.array(column) for column in zip(*entries, strict=True))
    untie(who, whom, kind, np.array(speed), np.array(rank))
    return [k for k in range(len(kind)) if kind[k] < 0]


def test_a_circle_of_precedence_lets_the_lowest_rank_go():
    circle = [(0, 1, SOFT), (1, 2, SOFT), (2, 3, SOFT), (3, 0, SOFT)]
    assert freed(circle) == [0]
    assert freed(circle, rank=(3, 2, 0, 1)) == [2]
    assert freed(circle[:3]) == []


def test_order_of_entries_does_not_matter():
    circle = [(0, 1, SOFT), (1, 2, SOFT), (2, 3, SOFT), (3, 0, SOFT), (1, 3, SOFT)]
    rng = np.random.default_rng(0)
    for _ in range(10):
        order = rng.permutation(len(circle))
        assert {circle[order[k]] for k in freed([circle[k] for k in order])} == {(0, 1, SOFT)}


def test_who_waits_for_somebody_outside_still_does():
    entries = [(0, 1, SOFT), (1, 0, SOFT), (0, 2, SOFT), (0, -1, SOFT)]
    assert freed(entries) == [0]


def test_those_in_a_queue_are_not_let_go():
    # 0 has the lowest rank but stands behind 1; 1 waits for precedence only.
    assert freed([(0, 1, QUEUE), (1, 0, SOFT)]) == [1]
    assert freed([(0, 1, QUEUE), (0, 1, SOFT), (1, 0, SOFT)]) == [2]


def test_circles_of_bodies_are_untied_once_all_stand():
    circle = [(0, 1, HARD), (1, 0, HARD)]
    assert freed(circle, speed=(0.0, 0.0)) == [0]
    assert freed(circle, speed=(0.0, 2.0)) == []
    assert freed([(0, 1, QUEUE), (1, 0, QUEUE)], speed=(0.0, 0.0)) == []

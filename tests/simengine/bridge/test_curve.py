"""CURVE keys: files, and who may speak to whom."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from bridge_factories import PATIENCE, MemoryPlanner, make_observation, plan_for, plans_equal, serving
from simengine.bridge.client import PlannerClient, ping
from simengine.bridge.curve import load_keys, load_public_key, make_key_files, make_keys
from simengine.bridge.server import PlannerServer
from simengine.errors import ConfigError, PlannerTimeoutError


def test_key_files(tmp_path: Path) -> None:
    secret, public = make_key_files(tmp_path / "keys")
    keys = load_keys(secret)
    assert load_public_key(public) == load_public_key(secret) == keys.public
    assert keys.secret not in public.read_text()
    assert keys.secret not in repr(keys)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (secret, public)} == {0o600}
    with pytest.raises(ConfigError, match="exists already"):
        make_key_files(tmp_path / "keys")
    with pytest.raises(ConfigError, match="no secret key"):
        load_keys(public)
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_keys(secret)


@pytest.mark.parametrize(
    "content", ["", "{}", '{"public": 3}', '{"public": "short"}', '{"public": "%s"}' % ("~" * 40)]
)
def test_broken_key_files(tmp_path: Path, content: str) -> None:
    path = tmp_path / "key.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"key\.json"):
        load_public_key(path)
    with pytest.raises(ConfigError, match="does not exist"):
        load_public_key(tmp_path / "none.json")


def test_other_hosts_need_keys() -> None:
    with pytest.raises(ConfigError, match="CURVE"):
        PlannerServer(MemoryPlanner(), "tcp://*:5555")
    with pytest.raises(ConfigError, match="CURVE"):
        PlannerClient("tcp://10.0.0.1:5555")
    with pytest.raises(ConfigError, match="no CURVE key"):
        PlannerClient("tcp://10.0.0.1:5555", server_key="secret")


def test_only_the_right_key_is_served() -> None:
    keys = make_keys()
    observation = make_observation()
    with serving(MemoryPlanner(), "tcp://127.0.0.1:*", curve_keys=keys) as server:
        for wrong in (make_keys().public, None):
            with (
                PlannerClient(server.address, connect_timeout=0.5, server_key=wrong) as client,
                pytest.raises(PlannerTimeoutError, match="key"),
            ):
                client.plan(observation)
        with PlannerClient(server.address, connect_timeout=PATIENCE, server_key=keys.public) as client:
            assert plans_equal(client.plan(observation), plan_for(observation, 1))
        assert ping(server.address, PATIENCE, server_key=keys.public).answered == 1


def test_a_key_for_a_planner_without_one_is_refused() -> None:
    with (
        serving(MemoryPlanner(), "tcp://127.0.0.1:*") as server,
        PlannerClient(server.address, connect_timeout=0.5, server_key=make_keys().public) as client,
        pytest.raises(PlannerTimeoutError, match="key"),
    ):
        client.wait_until_ready()

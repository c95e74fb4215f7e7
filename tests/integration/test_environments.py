"""The conda files, the bootstrap script and the packages agree about what is installed."""

import re
from pathlib import Path

import pytest
import tomllib
import yaml

ROOT = Path(__file__).parents[2]


def pins(name: str) -> dict[str, str]:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    found = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    return {normal(key): value for key, value in found.items()}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pip_lines(environment: str) -> list[str]:
    content = yaml.safe_load((ROOT / environment).read_text())
    return next(item["pip"] for item in content["dependencies"] if isinstance(item, dict))


@pytest.mark.parametrize(
    ("environment", "files", "packages"),
    [
        ("environment-sim.yml", ["build", "light", "sim"], ["simengine"]),
        ("environment-alg.yml", ["build", "light", "alg"], ["simengine", "algengine"]),
    ],
)
def test_conda_files_name_what_bootstrap_installs(environment, files, packages):
    lines = pip_lines(environment)
    assert [
        line.removeprefix("-r requirements/").removesuffix(".txt") for line in lines if line.startswith("-r")
    ] == files
    assert [line.removeprefix("-e ./") for line in lines if line.startswith("-e")] == packages
    script = (ROOT / "scripts" / "bootstrap.sh").read_text()
    torch = re.search(r"TORCH_VERSION=(\S+)", script)[1]
    assert [line for line in lines if line.startswith("torch")] in ([], [f"torch=={torch}"])


def test_pins_of_two_files_never_disagree():
    seen: dict[str, str] = {}
    for name in ("build", "light", "sim", "alg", "dev"):
        for package, version in pins(name).items():
            assert seen.setdefault(package, version) == version, package


@pytest.mark.parametrize(
    ("package", "files"), [("simengine", ("light", "sim")), ("algengine", ("light", "alg"))]
)
def test_every_declared_dependency_is_pinned(package, files):
    project = tomllib.loads((ROOT / package / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"].get("lite", [])]
    pinned = {name for file in files for name in pins(file)} | {"simengine", "torch"}
    assert {normal(re.match(r"[A-Za-z0-9_.-]+", line)[0]) for line in declared} <= pinned

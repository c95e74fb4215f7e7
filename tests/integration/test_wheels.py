"""Both wheels, installed into an empty environment, run from there with the configs they carry."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command, cwd=None) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    # What is installed here would be compiled here, for the better part of a minute and one scenario.
    environment["NUMBA_DISABLE_JIT"] = "1"
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Path:
    """Return the folder of an environment with only the two wheels, and our dependencies in sight."""
    work = tmp_path_factory.mktemp("wheels")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(
        *pip,
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        work,
        ROOT / "simengine",
        ROOT / "algengine",
    )
    environment = work / "env"
    venv.create(environment, with_pip=False)
    wheels = sorted(work.glob("*.whl"))
    assert [wheel.name.split("-")[0] for wheel in wheels] == ["algengine", "simengine"]
    run(*pip, "--python", environment / "bin" / "python", "install", "-q", "--no-deps", "--no-index", *wheels)
    # The dependencies come from the environment of the tests; a path added by a .pth file brings no
    # editable installs along, so `import simengine` can only find the wheel.
    site = next(environment.glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    return environment


@pytest.mark.slow
def test_wheels_carry_what_they_need(clean, tmp_path):
    program = "import simengine, algengine; print(simengine.__file__, algengine.__file__)"
    where = run(clean / "bin" / "python", "-c", program, cwd=tmp_path)
    assert all(str(clean) in path for path in where.split())
    assert "run" in run(clean / "bin" / "simengine", "--help", cwd=tmp_path)
    assert "serve" in run(clean / "bin" / "algengine", "--help", cwd=tmp_path)
    out = run(
        clean / "bin" / "simengine",
        "run",
        "--config-name",
        "replay",
        "num_scenarios=1",
        "output_dir=out",
        cwd=tmp_path,
    )
    assert "1 of 1 scenarios scored" in out
    assert (tmp_path / "out" / "scores.csv").exists()


@pytest.mark.slow
@pytest.mark.mm
def test_shipped_planner_is_in_the_wheel(clean, tmp_path):
    program = "from algengine.serving.load import shipped_models; print(shipped_models())"
    assert "vadv2_demo" in run(clean / "bin" / "python", "-c", program, cwd=tmp_path)

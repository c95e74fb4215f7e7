"""Copies the MMEngine configs of the workspace into the wheel as `algengine/configs`."""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

CONFIGS = Path(__file__).resolve().parent.parent / "configs" / "alg"


class BuildWithConfigs(build_py):
    """`build_py` that also carries the configs."""

    def run(self) -> None:
        """Build as usual, then copy the configs beside the modules (not for editable installs)."""
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "algengine" / "configs"
            shutil.copytree(CONFIGS, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))


setup(cmdclass={"build_py": BuildWithConfigs})

"""Copies the presets of the workspace into the wheel, so that it runs without a checkout."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigs(build_py):
    """Adds `configs/sim` as package data `simengine/configs`."""

    def run(self) -> None:
        """Build, then copy."""
        super().run()
        source = Path(__file__).resolve().parent.parent / "configs" / "sim"
        if not self.editable_mode:
            shutil.copytree(source, Path(self.build_lib) / "simengine" / "configs", dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithConfigs})

"""The light layer stays light: importing all of it loads no heavy package."""

import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys
import simengine
light = ("errors", "files", "geometry", "datatypes", "map", "dynamics", "bridge", "scenario", "metrics",
    "pdm_closed", "rewards", "rows")
for name in light:
    module = importlib.import_module(f"simengine.{name}")
    for item in pkgutil.walk_packages(getattr(module, "__path__", []), f"simengine.{name}."):
        importlib.import_module(item.name)
heavy = ("torch", "ray", "hydra", "omegaconf", "gsplat", "PIL", "mmengine", "mmcv", "mmdet", "mmdet3d", "cv2")
print([name for name in heavy if name in sys.modules])
"""

HELP = """
import sys
from simengine.cli.main import main
try:
    main(["--help"])
finally:
    print([name for name in ("torch", "ray", "gsplat") if name in sys.modules])
"""


def test_light_layer_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_help_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr

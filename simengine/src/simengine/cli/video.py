"""Write a record, or what a log shows, as a video."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console

from simengine.cli.episodes import TARGETS, find_drives
from simengine.cli.view import check_size, choose
from simengine.errors import ConfigError
from simengine.progress import make_progress
from simengine.render.build import BACKEND_NAMES, make_backend
from simengine.view.film import film, pick_cameras
from simengine.view.images import CameraImages
from simengine.view.video import check_video, write_video

EXAMPLE = """examples:
  simengine video run/records/demo_0003.npz -o demo_0003.mp4 --cameras CAM_L0,CAM_F0,CAM_R0 --birdseye
  simengine video demo_0003 -o around.mp4 --cameras all --width 640 --height 360 --speed 0.5
  simengine video run --token demo_0003 -o above.gif --cameras none --birdseye"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `simengine video`."""
    parser.add_argument("target", metavar="WHAT", help=TARGETS)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=".mp4 or .gif")
    parser.add_argument("--token", default=None, help="scenario, if WHAT holds several (default: the first)")
    parser.add_argument(
        "--cameras", default="CAM_F0", help="channels with commas, all or none (default: CAM_F0)"
    )
    parser.add_argument("--birdseye", action="store_true", help="add the view from above")
    parser.add_argument("--width", type=int, default=480, help="of each camera in pixels (default: 480)")
    parser.add_argument("--height", type=int, default=270, help="of each camera in pixels (default: 270)")
    parser.add_argument(
        "--backend",
        choices=[*BACKEND_NAMES, "none"],
        default="auto",
        help="what draws the images; none takes those that the run kept (default: auto)",
    )
    parser.add_argument(
        "--speed", type=float, default=1.0, help="2 is twice as fast as the drive (default: 1)"
    )
    parser.add_argument("--no-captions", action="store_true", help="leave names and times out")


def execute(arguments: argparse.Namespace) -> int:
    """Draw every frame and write the film."""
    check_size(arguments.width, arguments.height)
    check_video(arguments.output)
    if not 0.0 < arguments.speed <= 100.0:
        raise ConfigError(f"--speed is {arguments.speed:g}, expected more than 0 and at most 100")
    console = Console(stderr=True)
    source = choose(find_drives([arguments.target], arguments.width, arguments.height), arguments.token)
    with console.status(f"opening {source.title}"):
        drive = source.open()
        cameras = pick_cameras(drive, arguments.cameras)
        draws = bool(cameras) and arguments.backend != "none"
        images = CameraImages(drive, make_backend(arguments.backend) if draws else None)
    frames = film(drive, images, cameras, arguments.birdseye, not arguments.no_captions)
    fps = arguments.speed / drive.dt
    count = write_video(arguments.output, _watched(frames, drive.num_frames, console), fps)
    print(f"wrote {count} frames to {arguments.output}")
    return 0


def _watched(frames: Iterator[np.ndarray], total: int, console: Console) -> Iterator[np.ndarray]:
    """Yield `frames` while a bar shows how far they are."""
    with make_progress(console) as progress:
        task = progress.add_task("frames", total=total, visible=console.is_terminal)
        yield from progress.track(frames, task_id=task)

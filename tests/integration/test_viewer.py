"""The viewer as a user has it: the command, a browser, a drive that plays, a click, Ctrl-C."""

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from browser import find_browser, open_browser
from simengine.cli.main import main
from simengine.geometry.se2 import points_to_local
from simengine.scenario.splits import write_split
from simengine.view.viewer import AHEAD, EYE
from view_factories import make_street

pytestmark = pytest.mark.slow
PATIENCE = 240.0
FIELD_OF_VIEW = np.radians(75.0)


def wait_for(what, seconds: float = PATIENCE):
    """Return the first value of `what()` that is neither None nor false.

    A browser that draws on the processor may keep its driver waiting for too long; then it is asked again.
    """
    from selenium.common.exceptions import TimeoutException

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = None
        with contextlib.suppress(TimeoutException):
            found = what()
        if found is not None and found is not False:
            return found
        time.sleep(0.2)
    raise AssertionError(f"nothing after {seconds} s: {what.__doc__ or what}")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a split with one street, and of a run that drove straight through it."""
    folder = tmp_path_factory.mktemp("viewer")
    write_split([make_street()], folder / "splits" / "mine")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        words = ["split=mine", "scenario_root=splits", "output_dir=run", "ego=constant_velocity"]
        assert main(["run", "--config-name", "replay", *words]) == 0
    return folder


@pytest.fixture(scope="module")
def viewer(run):
    """A running `simengine view` and the address it names."""
    words = ["view", "run", "--port", "0", "--backend", "cpu", "--max-splats", "2500"]
    process = subprocess.Popen(
        [sys.executable, "-m", "simengine.cli.main", *words],
        cwd=run,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said = "".join(process.stdout.readline() for _ in range(3))
        address = re.match(r"open (http://localhost:(\d+))\n.*ssh -L \2:localhost:\2 .*\nCtrl-C", said)
        assert address, said + process.stdout.read()
        yield process, address[1]
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def page(viewer, tmp_path_factory):
    """The page in a browser, once it shows the drive."""
    if find_browser() is None:
        message = "no Chromium with chromedriver on this machine: bash scripts/install_browser.sh"
        # A pipeline has to have one: there the page is not left unseen.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    with open_browser(tmp_path_factory.mktemp("profile"), 1000, 520) as driver:
        driver.get(viewer[1])
        wait_for(lambda: frame_of(driver) is not None)
        yield driver


def frame_of(driver) -> int | None:
    found = re.search(r"frame (\d+) of 40", text_of(driver))
    return int(found[1]) if found else None


def text_of(driver) -> str:
    return driver.execute_script("return document.body.innerText")


def press(driver, label: str) -> None:
    """Click the button or checkbox that is called `label`."""
    driver.execute_script(
        """const name = arguments[0];
        for (const b of document.querySelectorAll('button')) if (b.innerText.trim() === name) return b.click();
        for (const l of document.querySelectorAll('label')) if (l.innerText.trim() === name) {
            const row = l.closest('.mantine-Flex-root') || l.parentElement.parentElement;
            return row.querySelector('input[type=checkbox]').click();
        }
        throw new Error('no control ' + name);""",
        label,
    )


def scene(driver) -> tuple[np.ndarray, dict]:
    """Return the picture (H, W, 3) of the scene and where it is in the window."""
    box = driver.execute_script(
        """const all = [...document.querySelectorAll('canvas')].map(c => c.getBoundingClientRect());
        const r = all.sort((a, b) => b.width * b.height - a.width * a.height)[0];
        return {x: r.x, y: r.y, width: r.width, height: r.height};"""
    )
    window = np.asarray(Image.open(io.BytesIO(driver.get_screenshot_as_png())).convert("RGB"))
    left, top = round(box["x"]), round(box["y"])
    return window[top : top + round(box["height"]), left : left + round(box["width"])].astype(int), box


def test_a_record_plays_among_splats_and_boxes(page):
    assert frame_of(page) == 0
    picture = wait_for(lambda: colourful(page))
    red, green, blue = np.moveaxis(picture, -1, 0)
    assert ((blue - red > 60) & (blue - green > 20)).sum() > 100, "no box of a vehicle"
    assert ((red - blue > 60) & (red - green > 60)).sum() > 200, "no box of the ego"
    press(page, "Splats")
    bare = wait_for(lambda: changed(page, picture))
    # What splats covered is now blank paper.
    covered = (bare.min(-1) > 235) & (picture.min(-1) < 225)
    assert covered.mean() > 0.2
    assert picture[covered].std(axis=0).min() > 5.0, "the area of the splats has one colour"
    press(page, "Splats")
    press(page, "Play")
    wait_for(lambda: frame_of(page) > 0)
    first = frame_of(page)
    wait_for(lambda: frame_of(page) != first)
    press(page, "Pause")


def colourful(driver) -> np.ndarray | None:
    """Return the scene once a good part of it is not blank."""
    picture, _ = scene(driver)
    return picture if (picture.min(-1) < 225).mean() > 0.3 else None


def changed(driver, before: np.ndarray) -> np.ndarray | None:
    picture, _ = scene(driver)
    return picture if (np.abs(picture - before).max(-1) > 20).mean() > 0.1 else None


def test_a_click_on_an_agent_tells_its_state(page):
    from selenium.webdriver import ActionChains

    frame = frame_of(page)
    street = make_street()
    start = street.initial_frame + frame
    ego = street.ego.pose[street.initial_frame] + [8.0 * 0.1 * frame, 0.0, 0.0]
    car = np.append(points_to_local(ego, street.agents.pose[0, start, :2][None])[0], 0.75)
    _, box = wait_for(lambda: scene(page))
    column, row = pixel(car, box["width"], box["height"])
    actions = ActionChains(page)
    actions.w3c_actions.pointer_action.move_to_location(round(box["x"] + column), round(box["y"] + row))
    actions.w3c_actions.pointer_action.click()
    actions.perform()
    wait_for(lambda: "ahead/1" in text_of(page))
    assert "6.0 m/s" in text_of(page)
    assert "m from the ego" in text_of(page)


def pixel(point: np.ndarray, width: float, height: float) -> tuple[float, float]:
    """Return where a point, ego at the origin, is in the picture of a fresh page."""
    forward = (AHEAD - EYE) / np.linalg.norm(AHEAD - EYE)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    ray = point - EYE
    scale = 0.5 * height / np.tan(0.5 * FIELD_OF_VIEW) / (ray @ forward)
    return width / 2 + scale * (ray @ right), height / 2 - scale * (ray @ np.cross(right, forward))


def test_ctrl_c_ends_it(viewer):
    process, _ = viewer
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert said == "viewer ended\n"

"""Shared image memory: the same bytes on both sides, and nothing left behind."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from bridge_factories import PATIENCE, shared_memory
from simengine.bridge.arrays import FrameReader
from simengine.bridge.messages import Attach
from simengine.bridge.shared_images import SharedImages, map_shared_images
from simengine.errors import BridgeError


def test_images_are_seen_by_the_other_side_without_a_copy() -> None:
    rng = np.random.default_rng(0)
    first = {
        "a": rng.integers(0, 256, (5, 7, 3), dtype=np.uint8),
        "b": rng.integers(0, 256, (9, 4, 3), dtype=np.uint8),
    }
    images = SharedImages(SharedImages.size_for(first))
    seen = map_shared_images(images.announcement())
    images.close_descriptor()
    for shift in range(3):  # the slot is written anew each time
        sent = {name: np.roll(image, shift)[:, ::-1] for name, image in first.items()}
        slot = images.begin()
        refs = {name: slot.add(name, image) for name, image in sent.items()}
        reader = FrameReader([], [], seen)
        for name, image in sent.items():
            got = reader.read(name, refs[name])
            np.testing.assert_array_equal(got, image)
            assert not got.flags.owndata
            with pytest.raises(ValueError, match="read-only"):
                got[0] = 0
    images.close()
    assert reader.read("a", refs["a"]).sum() == sent["a"].sum()  # outlives the sender


def test_the_receiver_cannot_write_even_on_purpose() -> None:
    images = SharedImages(4096)
    seen = map_shared_images(images.announcement())
    with pytest.raises(ValueError, match="WRITEABLE"):
        seen.flags.writeable = True
    images.close()


def test_too_many_bytes_are_refused() -> None:
    images = SharedImages(100)
    with pytest.raises(BridgeError, match="announce more"):
        images.add("a", np.zeros(images.size + 1, np.uint8))
    images.close()


def test_only_the_announced_memory_is_mapped(tmp_path: object) -> None:
    images = SharedImages(4096)
    good = images.announcement()
    other = os.memfd_create("other")
    try:
        for bad, error in [
            (Attach(good.name, good.pid, 0, good.size), (BridgeError, OSError)),
            (Attach(good.name, good.pid, other, good.size), BridgeError),
            (Attach("other", good.pid, other, 1), BridgeError),
            (Attach(good.name + "x", good.pid, good.fd, good.size), BridgeError),
            (Attach(good.name, good.pid, good.fd, good.size + 1), BridgeError),
            (Attach(good.name, good.pid, good.fd, 0), BridgeError),
            (Attach(good.name, good.pid, good.fd, 2**62), BridgeError),
            (Attach(good.name, 2**22 + 1, good.fd, good.size), OSError),
        ]:
            with pytest.raises(error):
                map_shared_images(bad)
    finally:
        os.close(other)
        images.close()


def test_memory_that_could_shrink_is_refused() -> None:
    name = "simengine-images-unsealed"
    fd = os.memfd_create(name, os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, 4096)
    try:
        with pytest.raises(BridgeError, match="sealed"):
            map_shared_images(Attach(name, os.getpid(), fd, 4096))
    finally:
        os.close(fd)


CHILD = """
import os, signal, sys
import numpy as np
from simengine.bridge.shared_images import SharedImages
images = SharedImages(1 << 20)
images.add("a", np.full((10, 10, 3), 7, np.uint8))
a = images.announcement()
print(a.name, a.pid, a.fd, a.size, flush=True)
sys.stdin.readline()
how = sys.argv[1]
if how == "interrupt":
    os.kill(os.getpid(), signal.SIGINT)
elif how == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("how", ["exit", "interrupt", "kill"])
def test_nothing_is_left_however_the_owner_ends(how: str) -> None:
    before, maps = shared_memory(), _mapped()
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    name, pid, fd, size = child.stdout.readline().split()
    seen = map_shared_images(Attach(name, int(pid), int(fd), int(size)))
    _, errors = child.communicate("go\n", timeout=PATIENCE)
    assert seen[:300].tolist() == [7] * 300
    assert _mapped() == maps + 1
    del seen
    assert _mapped() == maps
    assert shared_memory() == before
    assert "leak" not in errors and "resource_tracker" not in errors
    assert errors == "" or how == "interrupt"


def _mapped() -> int:
    with open("/proc/self/maps", encoding="utf-8") as file:
        return sum("simengine-images-" in line for line in file)

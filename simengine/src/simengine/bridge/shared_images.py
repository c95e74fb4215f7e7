"""Images of a request in memory that simulator and planner of one host share.

The memory is an anonymous, sealed memory file of the simulator (Linux `memfd`); the planner opens it
through the simulator's descriptor. It never has a name in the file system, so nothing can be left
behind however either side ends, and it is not bound by the size of /dev/shm in containers.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import uuid

import numpy as np

from simengine.bridge.arrays import IN_SHARED_MEMORY, ArrayRef, aligned_size, require_sendable
from simengine.bridge.messages import Attach
from simengine.errors import BridgeError

_PREFIX = "simengine-images-"
MAX_SHARED_BYTES = 2**34


class SharedImages:
    """The simulator's end: one slot, written anew for every request.

    One slot is enough: a simulator has one request at a time, and one that gives up on an answer
    dials again and makes a new slot, so a planner that still reads the old one reads unchanged images.
    """

    def __init__(self, size: int) -> None:
        """Make memory of `size` bytes; raises `OSError` where the system cannot."""
        self.name = f"{_PREFIX}{uuid.uuid4().hex}"
        self.size = max(aligned_size(size), mmap.PAGESIZE)
        self._fd = os.memfd_create(self.name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self._fd, self.size)
            # A planner maps this memory: it must never be cut short under its eyes.
            fcntl.fcntl(
                self._fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            )
            self._bytes = np.frombuffer(mmap.mmap(self._fd, self.size), np.uint8)
        except OSError:
            os.close(self._fd)
            raise
        self._used = 0

    @staticmethod
    def size_for(images: dict[str, np.ndarray]) -> int:
        """Return the bytes that `images` need."""
        return sum(aligned_size(image.nbytes) for image in images.values())

    def announcement(self) -> Attach:
        """Return the message that lets a planner open this memory; valid until `close_descriptor`."""
        return Attach(self.name, os.getpid(), self._fd, self.size)

    def close_descriptor(self) -> None:
        """Close the descriptor: who has not opened the memory by now never will."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def begin(self) -> SharedImages:
        """Start over at the first byte, for a new request."""
        self._used = 0
        return self

    def add(self, name: str, array: np.ndarray) -> ArrayRef:
        """Copy an image, contiguous or not, behind the one before."""
        dtype = require_sendable(name, array)
        end = self._used + array.nbytes
        if end > self.size:
            raise BridgeError(
                f"{name} needs {end} bytes of shared memory that has {self.size}: announce more first"
            )
        np.copyto(self._bytes[self._used : end].view(dtype).reshape(array.shape), array)
        ref = ArrayRef(dtype, array.shape, IN_SHARED_MEMORY, self._used)
        self._used = aligned_size(end)
        return ref

    def close(self) -> None:
        """Give the memory back; the planner's views stay valid."""
        self.close_descriptor()
        self._bytes = np.zeros(0, np.uint8)
        self.size = 0


def map_shared_images(announcement: Attach) -> np.ndarray:
    """Return the memory of a simulator as a read-only array (size,) of bytes, unmapped with its last view.

    Raises:
        BridgeError: it is not that memory, or it cannot be trusted to keep its size.
        OSError: it cannot be opened: another host, container or user.
    """
    path = f"/proc/{announcement.pid}/fd/{announcement.fd}"
    # The link is checked before it is opened: the numbers come from the peer and may point anywhere.
    expected = f"/memfd:{announcement.name}"
    target = os.readlink(path)
    if not announcement.name.startswith(_PREFIX) or target.removesuffix(" (deleted)") != expected:
        raise BridgeError(
            f"descriptor {announcement.fd} of process {announcement.pid} is not shared image memory"
        )
    if not 0 < announcement.size <= MAX_SHARED_BYTES:
        raise BridgeError(f"shared memory of {announcement.size} bytes, expected 1 to {MAX_SHARED_BYTES}")
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not fcntl.fcntl(fd, fcntl.F_GET_SEALS) & fcntl.F_SEAL_SHRINK:
            raise BridgeError("shared image memory is not sealed against shrinking")
        if os.fstat(fd).st_size < announcement.size:
            raise BridgeError(f"shared image memory is shorter than the {announcement.size} bytes announced")
        return np.frombuffer(mmap.mmap(fd, announcement.size, prot=mmap.PROT_READ), np.uint8)
    finally:
        os.close(fd)

"""A private address for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simengine.bridge.address import private_ipc_address


@pytest.fixture
def address() -> Iterator[str]:
    with private_ipc_address() as made:
        yield made

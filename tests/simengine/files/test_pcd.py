"""Point-cloud files: round trips, the bytes other tools expect, and broken files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simengine.errors import ScenarioFormatError
from simengine.files.pcd import pcd_bytes, read_pcd

KINDS = ("<f4", "<f8", "|u1", "<u2", "<i4")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=7), st.integers(0, 40), st.integers(0, 2**16))
def test_round_trip(tmp_path_factory, kinds, count, seed):
    rng = np.random.default_rng(seed)
    columns = {f"f{k}": rng.uniform(0, 200, count).astype(kind) for k, kind in enumerate(kinds)}
    path = tmp_path_factory.mktemp("pcd") / "a.pcd"
    path.write_bytes(pcd_bytes(columns))
    again = read_pcd(path)
    assert list(again) == list(columns)
    for name, column in columns.items():
        assert again[name].dtype == column.dtype
        np.testing.assert_array_equal(again[name], column)


def test_the_bytes_are_those_of_the_format():
    content = pcd_bytes({"x": np.array([1.5], "<f4"), "ring": np.array([7], np.uint8)})
    assert content == (
        b"# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS x ring\nSIZE 4 1\nTYPE F U\nCOUNT 1 1\n"
        b"WIDTH 1\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS 1\nDATA binary\n\x00\x00\xc0\x3f\x07"
    )


def test_bytes_after_the_points_are_ignored(tmp_path):
    """nuPlan's own files end with some."""
    path = tmp_path / "a.pcd"
    path.write_bytes(pcd_bytes({"x": np.arange(3.0)}) + b"\0" * 11)
    np.testing.assert_array_equal(read_pcd(path)["x"], [0, 1, 2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c[:-1], "ends before its 3 points"),
        (lambda c: c[:40], "no header"),
        (lambda c: b"", "no header"),
        (lambda c: c.replace(b"DATA binary", b"DATA binary_compressed"), "binary_compressed"),
        (lambda c: c.replace(b"POINTS 3", b"POINTS -3"), "ends before"),
        (lambda c: c.replace(b"POINTS 3", b"POINTS x"), "does not fit together"),
        (lambda c: c.replace(b"TYPE F", b"TYPE F F"), "does not fit together"),
        (lambda c: c.replace(b"TYPE F", b"TYPE Q"), "does not fit together"),
        (lambda c: c.replace(b"SIZE 8", b"SIZE 9"), "does not fit together"),
        (lambda c: c.replace(b"COUNT 1", b"COUNT 2"), "several numbers"),
        (lambda c: c.replace(b"FIELDS x", b"WORDS x"), "does not fit together"),
    ],
)
def test_broken_files_are_refused(tmp_path, change, message):
    path = tmp_path / "a.pcd"
    path.write_bytes(change(pcd_bytes({"x": np.arange(3.0)})))
    with pytest.raises(ScenarioFormatError, match=message):
        read_pcd(path)


def test_columns_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ScenarioFormatError, match="one length"):
        pcd_bytes({"x": np.zeros(3), "y": np.zeros(2)})
    with pytest.raises(ScenarioFormatError, match="expected numbers"):
        pcd_bytes({"x": np.array(["a"])})
    with pytest.raises(ScenarioFormatError, match="check the path"):
        read_pcd(tmp_path / "absent.pcd")

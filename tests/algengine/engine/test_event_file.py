import struct

import numpy as np
import pytest
import torch

from algengine.engine.configs import load_config
from algengine.engine.event_file import EventFileBackend, crc32c, encode_event, encode_record
from algengine.engine.train import train
from training_factories import logged, write_training_config

pytestmark = pytest.mark.mm


def read_records(data: bytes) -> list[bytes]:
    records = []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        body = data[12 : 12 + length]
        assert encode_record(body) == data[: 16 + length]
        records.append(body)
        data = data[16 + length :]
    return records


def test_checksum_has_the_standard_value():
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA


def test_bytes_of_an_event():
    # field 1 double, field 2 varint 300, field 5 {field 1 {field 1 "a", field 2 float 1.5}}
    expected = (
        b"\x09" + struct.pack("<d", 2.0) + b"\x10\xac\x02" + b"\x2a\x0a\x0a\x08\x0a\x01a\x15\x00\x00\xc0\x3f"
    )
    assert encode_event(2.0, 300, {"a": 1.5}) == expected
    assert encode_event(2.0, file_version="v") == b"\x09" + struct.pack("<d", 2.0) + b"\x10\x00\x1a\x01v"


def test_numbers_of_all_kinds_are_kept_and_the_rest_left_out(tmp_path):
    writer = EventFileBackend(str(tmp_path))
    writer.add_scalar("text", "no")
    assert not list(tmp_path.iterdir())
    writer.add_scalars({"a": 1, "b": torch.tensor(2.0), "c": np.float32(3.0), "d": np.zeros(3)}, step=7)
    writer.close()
    [path] = tmp_path.glob("events.out.tfevents.*")
    version, event = read_records(path.read_bytes())
    assert version.endswith(b"brain.Event:2")
    assert event.endswith(encode_event(0.0, 7, {"a": 1.0, "b": 2.0, "c": 3.0})[9:])


def test_training_writes_its_curve(tmp_path):
    config = load_config(str(write_training_config(tmp_path, train_cfg__max_epochs=1)))
    train(config, tmp_path / "work", "cpu")
    [path] = (tmp_path / "work").glob("*/vis_data/events.out.tfevents.*")
    records = read_records(path.read_bytes())
    for step, loss in enumerate(logged(tmp_path / "work", "loss"), start=1):
        wanted = b"\x0a\x04loss\x15" + struct.pack("<f", loss)
        assert any(wanted in record and record[9:11] == bytes([0x10, step]) for record in records)

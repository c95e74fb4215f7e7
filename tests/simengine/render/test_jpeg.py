from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image

from simengine.render.jpeg import JpegPool, encode_jpeg


def pictures(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (24, 32, 3), np.uint8) for _ in range(count)]


def test_files_are_those_of_pillow():
    image = pictures(1)[0]
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=92)
    assert encode_jpeg(image, 92) == buffer.getvalue()


def test_the_pool_gives_the_same_bytes_in_order():
    pool, images = JpegPool(threads=3, max_pending=4), pictures(40)
    files = [pool.submit(image, 90) for image in images]
    assert [file.result() for file in files] == [encode_jpeg(image, 90) for image in images]
    pool.close()


def test_errors_surface_where_the_file_is_wanted():
    pool = JpegPool(1, 1)
    broken = pool.submit(np.zeros((2, 2, 7), np.uint8), 90)
    with pytest.raises(TypeError):
        broken.result()
    assert pool.submit(pictures(1)[0], 90).result()[:2] == b"\xff\xd8"  # its place is free again
    pool.close()
    with pytest.raises(RuntimeError):
        pool.submit(pictures(1)[0], 90)


def test_no_more_images_wait_than_allowed():
    gate, pool = threading.Event(), JpegPool(1, 2)

    class Slow:
        def detach(self):
            gate.wait(120)
            return self

        def cpu(self):
            return pictures(1)[0]

    files = [pool.submit(Slow(), 90) for _ in range(2)]
    third = threading.Thread(target=lambda: files.append(pool.submit(pictures(1)[0], 90)))
    third.start()
    third.join(0.2)
    assert third.is_alive() and len(files) == 2
    gate.set()
    third.join(120)
    assert len({file.result() for file in files}) == 1
    pool.close()


def test_tensors_are_fetched():
    torch = pytest.importorskip("torch")
    image = pictures(1)[0]
    assert encode_jpeg(torch.from_numpy(image), 92) == encode_jpeg(image, 92)

"""Pickles that hold numpy arrays and plain containers only, readable by every numpy since 1.0.

The original's planner runs on numpy 1 and Python 3.8. numpy 2 would write names that numpy 1 does not know.
"""

from __future__ import annotations

import pickle
import pickletools

from simengine.errors import BridgeError

_NEW, _OLD = "numpy._core.", "numpy.core."
_ADMITTED = frozenset(
    {
        "numpy.core.multiarray _reconstruct",
        "numpy.core.multiarray scalar",
        "numpy ndarray",
        "numpy dtype",
        "_codecs encode",
    }
)


def dump_plain(value: object) -> bytes:
    """Return `value` as a pickle of protocol 3, its numpy names spelt as numpy 1 does.

    Raises:
        BridgeError: something in it is neither a number, a text, a plain container nor a numpy array.
    """
    # Protocol 3 has neither frames nor lengths around names, so a name can be replaced where it stands.
    content = pickle.dumps(value, protocol=3)
    parts, copied = [], 0
    for opcode, name, position in pickletools.genops(content):
        if opcode.name != "GLOBAL":
            continue
        assert isinstance(name, str) and position is not None
        spelt = name.replace(_NEW, _OLD, 1) if name.startswith(_NEW) else name
        if spelt not in _ADMITTED:
            raise BridgeError(
                f"a frame holds a {name.replace(' ', '.')}, expected numbers, texts, lists, dicts and numpy arrays: "
                "convert it before sending"
            )
        module, _, attribute = spelt.partition(" ")
        parts += [content[copied:position], f"c{module}\n{attribute}\n".encode()]
        copied = position + len(f"c{name}\n")
    return b"".join([*parts, content[copied:]])

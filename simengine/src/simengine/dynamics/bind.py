"""One formula, two array libraries.

The formulas of this package are functions of one car. numba compiles them for the processor; `bind` makes
the same code work on tensors that hold all cars at once, so that no formula is written twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any


def bind(function: Callable, names: Mapping[str, Any]) -> Callable:
    """Return `function` with its code unchanged, but the global names in `names` meaning something else.

    Compiled functions that it calls are bound in the same way.

    Args:
        function: a plain or a numba function.
        names: for example `{"cos": torch.cos}`.
    """
    plain = getattr(function, "py_func", function)
    scope = {name: value for name, value in plain.__globals__.items() if name != "__name__"}
    for name in plain.__code__.co_names:
        if name in names:
            scope[name] = names[name]
        elif hasattr(scope.get(name), "py_func"):
            scope[name] = bind(scope[name], names)
    return FunctionType(plain.__code__, scope, plain.__name__, plain.__defaults__)

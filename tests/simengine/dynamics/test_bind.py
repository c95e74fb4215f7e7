"""The same code with other names."""

import math

import numpy as np
from numba import njit

from simengine.dynamics.bind import bind


@njit
def half_turn(x):
    return math.cos(x) / 2.0


@njit
def chain(x, scale=3.0):
    return scale * half_turn(x) + abs(x)


class Loud:
    @staticmethod
    def cos(x):
        return 100.0 + x


def test_names_reach_the_functions_that_are_called():
    bound = bind(chain, {"math": Loud})
    assert bound(2.0) == 3.0 * 102.0 / 2.0 + 2.0


def test_the_original_keeps_its_names():
    bind(chain, {"math": Loud})
    assert chain(2.0) == 3.0 * np.cos(2.0) / 2.0 + 2.0

"""Whether two boxes in the plane touch, compiled for loops over many pairs."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def box_overlap(ax, ay, ac, as_, al, aw, bx, by, bc, bs, bl, bw):  # type: ignore[no-untyped-def]
    """Return whether two boxes intersect; touching counts.

    A box is its centre, cosine and sine of its heading, half length and half width [m]; either half may be
    0, which makes it a segment. Separating-axis test over the edge directions of both.
    """
    dx, dy = bx - ax, by - ay
    cos, sin = abs(ac * bc + as_ * bs), abs(ac * bs - as_ * bc)
    if abs(dx * ac + dy * as_) > al + bl * cos + bw * sin:
        return False
    if abs(dy * ac - dx * as_) > aw + bl * sin + bw * cos:
        return False
    if abs(dx * bc + dy * bs) > bl + al * cos + aw * sin:
        return False
    return abs(dy * bc - dx * bs) <= bw + al * sin + aw * cos

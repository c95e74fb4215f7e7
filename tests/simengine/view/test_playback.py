"""Time moves a playback on, at its speed, to its end or around."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simengine.view.playback import Playback


def test_a_paused_playback_stays():
    assert Playback(4.0, 1.0).after(10.0) == Playback(4.0, 1.0)


def test_speed_scales_time():
    assert Playback(4.0, 1.0, speed=2.0, playing=True).after(0.5).position == pytest.approx(2.0)


def test_it_stops_at_the_end_unless_it_loops():
    once = Playback(4.0, 3.9, playing=True, loop=False).after(1.0)
    assert (once.position, once.playing) == (4.0, False)
    around = Playback(4.0, 3.9, playing=True).after(1.0)
    assert around.position == pytest.approx(0.9)
    assert around.playing


def test_starting_at_the_end_starts_over():
    assert Playback(4.0, 4.0).started() == Playback(4.0, 0.0, playing=True)
    assert Playback(4.0, 2.0).started() == Playback(4.0, 2.0, playing=True)


def test_a_drive_of_one_frame_neither_moves_nor_divides_by_zero():
    assert Playback(0.0, playing=True).after(1.0).frame(0.1) == 0


@given(frame=st.integers(0, 400), dt=st.sampled_from([0.05, 0.1, 0.5]))
def test_every_frame_can_be_reached(frame, dt):
    assert Playback(400 * dt, frame * dt).frame(dt) == frame


@given(
    position=st.floats(0.0, 3.99),
    speed=st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0]),
    dt=st.sampled_from([0.1, 0.5]),
)
@example(position=0.99999999, speed=0.25, dt=0.1)
def test_waiting_for_the_next_frame_shows_the_next_frame(position, speed, dt):
    playback = Playback(100.0, position, speed, playing=True)
    wait = playback.until_next(dt)
    # A position just short of a frame already shows it.
    assert 0.0 < wait <= (dt + 1.1e-6) / speed
    assert playback.after(wait).frame(dt) == playback.frame(dt) + 1


@given(steps=st.lists(st.floats(0.0, 0.3), max_size=40))
def test_position_never_leaves_the_drive(steps):
    playback = Playback(1.3, playing=True)
    for step in steps:
        playback = playback.after(step)
        assert 0.0 <= playback.position <= playback.duration

"""The wire of the emulated readers: what it says will arrive whole does, and nothing else."""

from __future__ import annotations

from drivers.emulators.serial.line import Faults, Wire
from drivers.serial.framing import Framer
from drivers.serial.uhf288.frames import Uhf288Framing, reply

FRAMES = [reply(0, 1, 3, b"\x01\x01\x0c" + index.to_bytes(12, "big") + b"\x40") for index in range(2000)]


def arrived(faults):
    """What comes out of the wire for FRAMES, and which of them it says are whole."""
    out = bytearray()
    wire = Wire(out.extend, faults, seed=7)
    return out, [frame for frame in FRAMES if wire.send(frame)]


def test_noise_disturbs_the_share_of_bytes_that_it_should():
    out, whole = arrived(Faults(noise=0.01))
    assert 0.75 < len(whole) / len(FRAMES) < 0.9  # 22 bytes a frame: 0.99 ** 22 = 0.80
    framer = Framer(Uhf288Framing())
    assert framer.feed(bytes(out), 0) + framer.expire(1 << 60) == whole


def test_flipped_checks_are_no_frames():
    out, whole = arrived(Faults(flips=0.5))
    framer = Framer(Uhf288Framing())
    assert framer.feed(bytes(out), 0) + framer.expire(1 << 60) == whole
    assert 900 < len(whole) < 1100


async def test_a_cut_frame_is_followed_by_silence():
    out, whole = arrived(Faults(cuts=1.0))
    assert whole == []
    assert len(out) == 0  # all of it is due later, one after the other

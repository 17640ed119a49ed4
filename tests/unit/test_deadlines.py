"""A deadline that has passed is missed only if it still is a moment later."""

from __future__ import annotations

from drivers.deadlines import SecondLook


def test_the_second_look_decides():
    looks = SecondLook(0.5)
    assert looks.due(10.0) == 10.0
    assert not looks.confirms(10.0, 9.9)
    assert not looks.confirms(10.0, 13.0)
    assert looks.due(10.0) == 13.5
    assert not looks.confirms(10.0, 13.4)
    assert looks.confirms(10.0, 13.5)


def test_what_came_between_the_looks_moves_the_deadline_on():
    looks = SecondLook(0.5)
    assert not looks.confirms(10.0, 13.0)
    assert not looks.confirms(16.0, 13.5)
    assert looks.due(16.0) == 16.0
    assert not looks.confirms(16.0, 20.0), "a new deadline is looked at twice too"
    assert looks.confirms(16.0, 20.5)

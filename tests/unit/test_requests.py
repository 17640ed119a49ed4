"""Requests are known again over runs, and only the very same."""

from __future__ import annotations

from gateway.inputs import Command
from gateway.service.requests import MAX_REQUESTS, Requests


def count(t: int, zone: str = "vault", request: object = "r1") -> Command:
    return Command(t, "count", {"zone": zone, "request": request})


def test_the_same_command_with_the_same_request_is_known_in_the_next_run():
    before, after = Requests(), Requests()
    before.note(count(7))
    after.load(before.dump())
    assert [requests.taken(count(9)) for requests in (before, after)] == [7, 7]
    assert after.taken(Command(9, "count", {"request": "r1", "zone": "vault"})) == 7


def test_another_command_is_another_request():
    requests = Requests()
    requests.note(count(7))
    others = [count(9, "dock"), count(9, request="r2"), Command(9, "zone", {"zone": "vault", "request": "r1"})]
    assert [requests.taken(other) for other in others] == [None, None, None]


def test_a_command_without_a_request_is_never_a_repetition():
    requests = Requests()
    for request in (None, 7, ["r1"]):
        requests.note(count(7, request=request))
        assert requests.taken(count(9, request=request)) is None


def test_only_the_newest_are_known():
    requests = Requests()
    for number in range(MAX_REQUESTS + 5):
        requests.note(count(number, request=f"r{number}"))
    assert requests.taken(count(0, request="r4")) is None
    assert requests.taken(count(0, request="r5")) == 5

"""Tokens, logins that outlive the gateway, and how often somebody may try."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from gateway.config.web import WebConfig
from gateway.errors import ConfigError
from gateway.web.attempts import MAX_ADDRESSES, MAX_EACH, PERIOD, Attempts
from gateway.web.guard import Guard
from gateway.web.tokens import Tokens, read_tokens

ANA, BEN = "a" * 32, "b" * 32
NOW = 1_700_000_000
TOKENS = Tokens({"ana": ANA, "ben.dock-2": BEN})


def test_a_token_says_whose_it_is():
    assert [TOKENS.name_of(token) for token in (ANA, BEN, "", "c" * 32, ANA[:-1])] == [
        "ana",
        "ben.dock-2",
        None,
        None,
        None,
    ]


def test_a_login_outlives_the_gateway_but_not_its_time_nor_its_token():
    cookie = TOKENS.login("ben.dock-2", NOW + 60)
    assert Tokens({"ben.dock-2": BEN}).check(cookie, NOW) == "ben.dock-2"
    assert TOKENS.check(cookie, NOW + 60) is None
    assert Tokens({"ana": ANA}).check(cookie, NOW) is None
    assert Tokens({"ben.dock-2": "d" * 32}).check(cookie, NOW) is None


def test_nobody_gives_themselves_more_time_or_another_name():
    name, expires, signature = TOKENS.login("ana", NOW + 60).rsplit(".", 2)
    assert TOKENS.check(f"{name}.{int(expires) + 9999}.{signature}", NOW) is None
    assert TOKENS.check(f"ben.dock-2.{expires}.{signature}", NOW) is None


@given(st.text() | st.from_regex(r"(ana|ben\.dock-2)\.[0-9-]{0,30}\.[0-9a-f]{0,64}", fullmatch=True))
def test_an_invented_cookie_is_nobody(cookie):
    assert TOKENS.check(cookie, NOW) is None


@pytest.mark.parametrize("certificate", [False, True])
def test_nobody_logs_in_as_who_need_not(certificate):
    """`local` acts where nobody logs in, and answers for things under a name that is typed."""
    config = WebConfig(token_file="tokens")
    tokens = Tokens({"local": ANA})
    cookie = "" if certificate else f"rfid_login={tokens.login('local', NOW + 60)}"
    state = {"subject": "local"} if certificate else {}
    request = Request({"type": "http", "headers": [(b"cookie", cookie.encode())], "state": state})
    assert Guard(config, lambda: tokens, lambda: NOW).who(request) == "local-login"


def test_a_token_file_is_read(tmp_path):
    path = tmp_path / "tokens"
    path.write_text(f"# the dock\n\nana: {ANA}\n  ben.dock-2 :{BEN}\n")
    assert read_tokens(path).name_of(BEN) == "ben.dock-2"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "holds no token"),
        ("# nobody\n", "holds no token"),
        (f"{ANA}\n", ":1: write `name: token`"),
        (f"ana: {ANA}\nana: {BEN}\n", ":2: this name is there already"),
        (f"ana: {ANA}\nben: {ANA}\n", ":2: this is somebody else's token"),
        (f"{ANA}: ana\n", ":1: the token needs 20"),
        ("ana: short\n", ":1: the token needs 20"),
        (f"ana: {ANA} {ANA}\n", ":1: the token needs"),
        (f"ana: {'é' * 30}\n", ":1: the token needs"),
        (f"a na: {ANA}\n", ":1: write `name: token`"),
        (f"ana: {ANA}\n" + "#" * (65 << 10), "longer than 65536 bytes"),
    ],
)
def test_a_wrong_token_file_says_where_and_never_shows_a_token(tmp_path, content, problem):
    path = tmp_path / "tokens"
    path.write_text(content)
    with pytest.raises(ConfigError) as refused:
        read_tokens(path)
    assert problem in str(refused.value)
    assert ANA not in str(refused.value)
    assert "short" not in str(refused.value)


def test_a_missing_token_file_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match=r"correct web\.token_file"):
        read_tokens(tmp_path / "none")


def test_one_address_may_fail_five_times_a_minute():
    attempts = Attempts()
    for second in range(MAX_EACH):
        assert attempts.wait("tablet", second) == 0
        attempts.failed("tablet", second)
    assert attempts.wait("tablet", MAX_EACH) == PERIOD - MAX_EACH
    assert attempts.wait("desk", MAX_EACH) == 0
    assert attempts.wait("tablet", PERIOD) == 0


def test_nobody_is_kept_out_by_what_others_get_wrong():
    attempts = Attempts()
    for number in range(3 * MAX_ADDRESSES):
        for _ in range(MAX_EACH):
            attempts.failed(f"10.{number // 250}.0.{number % 250}", 0)
    assert attempts.wait("192.168.1.5", 1) == 0
    assert len(attempts._failed) == MAX_ADDRESSES


def test_one_host_of_ipv6_is_one_address():
    attempts = Attempts()
    for number in range(MAX_EACH):
        attempts.failed(f"2001:db8::{number:x}", 0)
    assert attempts.wait("2001:db8::ffff", 1) > 0
    assert attempts.wait("2001:db8:0:1::1", 1) == 0

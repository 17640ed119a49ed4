"""Where the dock page may be served, and what it then needs."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gateway.config.web import WebConfig, is_loopback
from tests.support.claims import some

TLS = {"cert_file": "/etc/web.crt", "key_file": "/etc/web.key"}
WITH_CA = TLS | {"client_ca_file": "/etc/ca.crt"}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1", "[::1]"])
def test_on_this_machine_nothing_is_needed(host):
    assert is_loopback(host)
    assert not WebConfig(host=host).needs_login


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.5", "dock-1.example", "localhost.example", "127.0.0.1.nip.io"]
)
@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, ["`tls` with cert_file and key_file", "`token_file` or `tls.client_ca_file`"]),
        ({"tls": TLS}, ["`token_file` or `tls.client_ca_file`"]),
        ({"token_file": "/etc/tokens"}, ["`tls` with cert_file and key_file"]),
    ],
)
def test_beyond_it_tls_and_a_login_are_needed(host, settings, missing):
    with pytest.raises(ValidationError) as refused:
        WebConfig.model_validate({"host": host} | settings)
    message = str(refused.value)
    assert f"host {host} can be reached from the network" in message
    assert all(words in message for words in some(missing))


@pytest.mark.parametrize("settings", [{"tls": TLS, "token_file": "/etc/tokens"}, {"tls": WITH_CA}])
def test_with_both_it_may_be_anywhere(settings):
    assert WebConfig.model_validate({"host": "0.0.0.0"} | settings).needs_login


def test_keys_that_there_are_not_are_refused():
    with pytest.raises(ValidationError, match="prot"):
        WebConfig.model_validate({"prot": 8420})

"""Words for people: what was probably meant, and how sure something is."""

from __future__ import annotations

import pytest

from gateway.text import closest, two_digits


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("prot", ["root", "port", "host"], "port"),
        ("INFO", ["debug", "info"], "info"),
        ("Vault", ["dock", "vault"], "vault"),
        ("volt", ["dock", "vault"], "vault"),
        ("volt", ["Dock", "VAULT"], "VAULT"),
        ("dock-21", ["dock-1", "dock-12"], "dock-12"),
        ("zzz", ["dock", "vault"], None),
        ("", ["dock"], None),
        ("dock", [], None),
    ],
)
def test_what_was_probably_meant(word: str, known: list[str], meant: str | None) -> None:
    assert closest(word, known) == meant
    assert closest(word, reversed(known)) == meant


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0.00"), (0.29, "0.29"), (0.875, "0.87"), (0.996, "0.99"), (0.99999, "0.99"), (1.0, "1.00")],
)
def test_only_what_is_certain_is_said_to_be(value: float, said: str) -> None:
    assert two_digits(value) == said

"""Expected sets from CSV as spreadsheets and people write it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.sources import ExpectedColumns
from gateway.errors import Refused
from gateway.sources import expected_csv
from gateway.sources.expected_csv import Found, read_csv
from gateway.sources.identifiers import IdentifierMap

A, B, C = "1A4060300048D3D000000001", "1A4060300048D3D000000002", "1A4060300048D3D000000003"
ZONES = {"vault": "vault", "the vault": "vault", "dock": "dock", "vault a": "vault"}
PLACES = {"uid": "Package Tag", "zone": "Location"}


def parse(content: str | bytes, stem: str = "vault", identifiers: IdentifierMap | None = None, **columns: Any) -> Found:
    return read_csv(
        content if isinstance(content, bytes) else content.encode(),
        stem=stem,
        columns=ExpectedColumns(**columns),
        zones=ZONES,
        identifiers=identifiers or IdentifierMap(),
    )


@pytest.mark.parametrize(
    "content",
    [
        f"uid\n{A}\n{B}\n",
        f"uid\r\n{A}\r\n{B}\r\n",
        f"uid\n{B}\n{A}\n{B}",
        f"\ufeffuid\n{A}\n{B}\n",
        f"UID , item\n {A.lower()} ,x\n{B},y\n",
        f"item;uid\n1,5;{A}\n2,5;{B}\n",
        f"item\tuid\na\t{A}\nb\t{B}\n",
        f'uid,item\n"{A}","a, b"\n"{B}","two\nlines and a "" quote"\n',
        f'"a, b";"uid"\nx;{A}\nx;{B}\n',
        f"sep=;\r\nuid;n\r\n{A};1\r\n{B};2\r\n",
        f"uid\n\n{A}\n   \n{B}\n\n",
        f'uid\n="{A}"\n\'{B}\n',
        f"uid\tn\n{A}\t1\n{B}\t2\n".encode("utf-16"),
        f"uid,naïve\n{A},é\n{B},é\n".encode("cp1252"),
    ],
)
def test_the_same_set_in_many_dresses(content):
    assert parse(content) == Found({"vault": [A, B]}, {})


def test_a_column_of_zones():
    content = f"Location,Package Tag\nThe Vault,{B}\nDock,{C}\nvault a,{A}\nPlanet 9,{A}\nPlanet 9,{B}\n"
    found = parse(content, "anything", **PLACES)
    assert found == Found({"dock": [C], "vault": [A, B]}, {"Planet 9": 2})
    assert found.remark() == "2 lines left out, of places that are no zone: 'Planet 9'"


def test_a_file_of_one_zone_may_say_that_nothing_is_expected():
    assert parse("uid\n") == Found({"vault": []}, {})


def test_identifiers_that_are_not_the_epc():
    identifiers = IdentifierMap({"PAG123456.PL1A3RD": A, "0012345678901234": B})
    assert parse("uid\nPAG123456.PL1A3RD\n0012345678901234\n", identifiers=identifiers).sets == {"vault": [A, B]}


@pytest.mark.parametrize(
    ("content", "stem", "columns", "message"),
    [
        ("", "vault", {}, "line 1: no column 'uid'; the header has no column"),
        (f"tag\n{A}\n", "vault", {}, "line 1: no column 'uid'; the header has 'tag': correct it, or expected.columns"),
        (f"uid,UID\n{A},{B}\n", "vault", {}, "line 1: two columns are named 'uid'"),
        (f"uid\n{A}\n", "valt", {}, "there is no zone 'valt': did you mean `vault`"),
        (f"uid,n\n{A}\n", "vault", {}, "line 2: has 1 cells and the header 2"),
        (f"uid,n\n{A},1\n,2\n", "vault", {}, "line 3: has no UID"),
        ("uid\n1.23457E+15\n", "vault", {}, "line 2: '1.23457E.15' was rounded by the spreadsheet: format the column"),
        ("uid\n1,23457E+15\n", "vault", {"uid": "uid"}, "line 2: has 2 cells"),
        ("uid;n\n1,23457E+15;1\n", "vault", {}, "was rounded by the spreadsheet"),
        ("uid\nPAG123456.PL1A3RD\n", "vault", {}, "line 2: 'PAG123456.PL1A3RD' is no EPC and not in the identifier"),
        (f'uid\n{A}\n"{B}\n', "vault", {}, "line 3: not CSV"),
        (f"uid\n{A}{'0' * 200_000}\n", "vault", {}, "line 2: not CSV: field larger than field limit"),
        (
            f"Location,Package Tag\nMars,{A}\n",
            "x",
            PLACES,
            "no line is of a zone .* that are no zone: 'Mars'; name the",
        ),
        ("Location,Package Tag\n", "x", PLACES, "no line is of a zone of this gateway: there is no line"),
        (b"PK\x03\x04\x00\x00", "vault", {}, "not a text: it has NUL bytes; save the sheet as CSV"),
        (f"sep=x\nuid\n{A}\n", "vault", {}, "line 1: 'x' does not separate cells"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(content, stem, columns, message):
    with pytest.raises(Refused, match=message):
        parse(content, stem, **columns)


def test_too_many_lines(monkeypatch):
    monkeypatch.setattr(expected_csv, "MAX_LINES", 3)
    assert len(parse(f"uid\n{A}\n{B}\n").sets["vault"]) == 2
    with pytest.raises(Refused, match="more than 3 lines"):
        parse(f"uid\n{A}\n{B}\n{C}\n{A}\n")


@given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda text: f"uid\n{text}".encode())))
def test_whatever_comes_is_taken_or_refused(content):
    try:
        sets = parse(content).sets
    except Refused:
        sets = {"vault": []}
    assert list(sets) == ["vault"]
    assert all(set(uid) <= set("0123456789ABCDEF") for uid in sets["vault"])

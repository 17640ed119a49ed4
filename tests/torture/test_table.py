"""The table of docs/reliability.md is what `make torture` wrote."""

from __future__ import annotations

from tests.support.claims import some
from tests.torture.conftest import DOCUMENT, MARKS


def test_the_table_has_a_promise_a_trial_and_a_figure_in_each_line():
    begin, end = MARKS["long"]
    table = DOCUMENT.read_text().partition(begin)[2].partition(end)[0].strip().splitlines()
    assert table[:2] == [table[0], "|---|---|---|"]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]
    assert len(rows) >= 7
    for row in rows:
        assert len(row) == 3, row
        assert all(some(row)), row
        assert any(character.isdigit() for character in row[2]), row

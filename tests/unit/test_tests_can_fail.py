"""Assertions that silence would satisfy are none: `all` and `not any` go over `some(...)`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.claims import some

TESTS = Path(__file__).resolve().parents[1]
CHANCE = ("fuzz", "property")
"""What comes of random examples may be nothing, here and under `@given`."""

MAY_BE_NONE = {
    ("e2e/page/test_use.py", "page.errors"): "a browser need not complain",
    ("unit/test_watched_folder.py", "reports"): "of one purpose none is refused, which is compared before",
    ("integration/test_mqtt_delivery.py", "missing"): "what the broker took before a cut is not known",
    ("integration/test_mqtt_delivery.py", "ledger.final.values()"): "nothing is refused for good",
}


def over(source: str) -> Iterator[tuple[int, ast.expr]]:
    """The line of each `assert all(...)` and `assert not any(...)`, and what it goes over."""
    tree = ast.parse(source)
    chance = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and any(ast.unparse(d).startswith("given(") for d in node.decorator_list)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assert) or node in chance:
            continue
        test, wanted = node.test, "all"
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            test, wanted = test.operand, "any"
        if isinstance(test, ast.Call) and ast.unparse(test.func) == wanted and test.args:
            (found,) = test.args
            yield node.lineno, found.generators[0].iter if isinstance(found, ast.GeneratorExp) else found


def sure(found: ast.expr) -> bool:
    """Whether there is certainly something in it."""
    if isinstance(found, ast.Call):
        name = ast.unparse(found.func)
        return name in ("some", "range") or (name == "map" and sure(found.args[-1]))
    return isinstance(found, ast.Tuple | ast.List | ast.Set) and bool(found.elts)


def test_silence_satisfies_no_assertion():
    loose = [
        f"{name}:{line}: {ast.unparse(found)}"
        for path in sorted(TESTS.rglob("*.py"))
        if (name := str(path.relative_to(TESTS))).split("/")[0] not in CHANCE
        for line, found in over(path.read_text())
        if not sure(found) and (name, ast.unparse(found)) not in MAY_BE_NONE
    ]
    assert not loose, f"nothing at all would satisfy these; go over some(...): {loose}"


def test_what_silence_satisfies_is_found():
    loose = "assert all(x for x in found)\nassert not any(found)\nassert all(x for x in [])\n"
    strict = "assert all(x for x in some(found))\nassert not any(x > 1 for x in range(3))\nassert any(found)\n"
    assert [sure(found) for _, found in over(loose)] == [False] * 3
    assert [sure(found) for _, found in over(strict)] == [True] * 2
    with pytest.raises(AssertionError, match="nothing was found"):
        some([])

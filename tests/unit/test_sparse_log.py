"""A sentence that others can cause at will is logged once a minute."""

from __future__ import annotations

import structlog

from drivers.sparse_log import MAX_SAID, SparseLog


def test_a_sentence_is_said_once_a_minute_with_its_number():
    now, log = [0.0], structlog.testing.CapturingLogger()
    sparse = SparseLog(log, lambda: now[0])
    for _ in range(1000):
        sparse.warning("refused", reason="unknown", address="10.0.0.1")
    now[0] = 61.0
    sparse.warning("refused", reason="unknown", address="10.0.0.2")
    assert [call.kwargs["times"] for call in log.calls] == [1, 1000]
    sparse.error("refused", reason="another")
    assert [call.method_name for call in log.calls] == ["warning", "warning", "error"]


def test_what_a_sentence_is_about_tells_it_apart_in_place_of_its_reason():
    log = structlog.testing.CapturingLogger()
    sparse = SparseLog(log, lambda: 0.0)
    for reason in ("torn", "empty"):
        for sled in ("sled-1", "sled-2"):
            sparse.warning("cannot be used", about=sled, handheld=sled, reason=reason)
    assert [call.kwargs for call in log.calls] == [
        {"handheld": sled, "reason": "torn", "times": 1} for sled in ("sled-1", "sled-2")
    ]


def test_different_sentences_are_bounded():
    sparse = SparseLog(structlog.testing.CapturingLogger(), lambda: 0.0)
    for number in range(10 * MAX_SAID):
        sparse.warning("refused", reason=str(number))
    assert len(sparse._said) <= MAX_SAID

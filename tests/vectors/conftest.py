"""The recordings of readers that are not part of the project: their tests are there where the recordings are."""

from __future__ import annotations

from tests.vectors import llrp_frames

collect_ignore = [] if llrp_frames.PATH.is_dir() else ["test_llrp_recordings.py"]


def pytest_report_header() -> str:
    """Said at the head of every run, as nothing is said of tests that are not there."""
    if collect_ignore:
        return f"LLRP RECORDINGS NOT FOUND at {llrp_frames.PATH}: set RFID_SHARED to the folder that holds llrp/"
    return f"LLRP recordings: {llrp_frames.PATH}"

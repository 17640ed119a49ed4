"""Counts: the calendar, a count in its rounds, what lies below the edge of hearing, and the report."""

"""Recorded reads: what the floor was given, written while it runs and read again by `replay`."""

"""Readers that are not there: emulators that any client can connect to, and the scenes of tags that they see."""

"""Readers on the Impinj R2000 chip (frames that begin with A0).

`frames` reads and writes the bytes, `session` is how a connection goes, `settings` what can be set.
"""

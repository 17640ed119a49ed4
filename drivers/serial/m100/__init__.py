"""MagicRF M100 and R200 modules.

`frames` reads and writes the bytes, `session` is how a connection goes, `settings` what can be set.
"""

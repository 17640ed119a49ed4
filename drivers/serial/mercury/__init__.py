"""ThingMagic's embedded modules (Mercury protocol).

`frames` reads and writes the bytes, `session` is how a connection goes, `settings` what can be set.
"""

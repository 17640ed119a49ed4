"""UHFReader18, UHFReader288 and their kin.

`frames` reads and writes the bytes, `session` is how a connection goes, `settings` what can be set.
"""

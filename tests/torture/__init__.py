"""What holds under faults: the promises of docs/reliability.md, tried on the real daemon.

`make torture` gives each trial its full length, some twenty minutes together, and prints the table; the tests run the
short form.
"""

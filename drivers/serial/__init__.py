"""Serial UHF readers: one folder per family, over a tty, a USB port, an RS-485 bus or a device server in raw TCP mode.

`framing` finds whole frames in bytes, `transport` moves the bytes, `link` joins the two, `session` is what all
families share in talking to a reader, `driver` is the shell that the gateway runs.
"""

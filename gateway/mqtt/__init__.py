"""MQTT: the ledger out, states out, commands in.

`service` puts it together. `link` keeps a connection; `publisher` empties the ledger over it; `board` keeps the
retained topics; `intake` takes commands. All of them see the `Connection` of `port`; `client` is the one that exists.
"""

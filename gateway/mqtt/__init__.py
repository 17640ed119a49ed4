"""MQTT: the ledger out, states out, commands in.

`service` puts it together; all of it sees the `Connection` of `interface`.

- The connection: `link` keeps one (`settings`, `features`: what to ask a broker for); `client` is one, on `codec` and
  `wire`; `reasons` has the words for what goes wrong.
- Events: `publisher` empties the ledger over it. `outgoing` decides what is sent when, by the table of `delivery`, the
  kinds of `answers`, `pace`, `patience` and `held`; `parts`, `second_tries` and `notices` are what their names say.
- States: `retained`. Commands: `intake`; `request` sends one from the command line.
"""

"""The history: what the ledger's events say, arranged so that it answers questions.

Where is a package, how did it come there, who was in a zone at a time, where is a batch, what is alarming. It is a
projection in a SQLite file of its own: made from committed events alone, one after the other, so that a history that
is deleted and made again from the same events is the same, row for row.
"""

"""Facts on disk before they are published: the ledger, its journal of inputs, and the checkpoints."""

"""The running gateway: what stands between the readers, the floor, the ledger and the broker while it lives."""

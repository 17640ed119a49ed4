"""The whole pipeline on simulated readers and an embedded broker: `make demo`."""

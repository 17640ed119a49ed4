"""What the gateway is measured by: each module is one benchmark, `python -m benchmarks NAME` runs it."""

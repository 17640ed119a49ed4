"""How right the floor is: simulated scenes with known truth, judged through replay, beside simple rules.

The scenes are played by `benchmarks.radio`, which knows nothing of the floor; the floor gets what a driver
would hand over and its events are held against the truth. Everything is seeded. Run ``python -m benchmarks.accuracy``.
"""

"""Benchmarks beside hand-written loops and Keras; `python -m benchmarks` (or `make bench`) runs them."""

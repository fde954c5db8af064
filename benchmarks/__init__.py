"""Benchmarks: our figures beside those of minimal programs ("floors") that do only the one thing, in one run.

Run one with `python -m benchmarks.NAME`, all with `python -m benchmarks`; `--quick` takes fewer samples. The machine's
noise hits both sides alike, so the ratios are what counts. Nothing here passes or fails: each prints its target.
"""

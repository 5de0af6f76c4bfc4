"""The figures: what the system reaches, each beside a floor that is measured in the same run on the same machine.

    python -m benchmarks [NAME…] [--runs N] [--json FILE]

A figure and its floor take turns, so that other work on the machine slows both. The median of their ratios counts.
Nothing here is a test: no figure fails a build.
"""

"""Benchmarks: each times digit, a plain implementation of the same job and, where there is one, the limit, in one run.

``python -m bench.index`` (``images``, ``archive``, ``parts``, ``loader``, ``evaluate``, ``meshes``) runs one and ends
with one line of JSON; ``python -m bench`` (``make bench``) runs all of them and rewrites the table in
docs/benchmarks.md.
``python -m bench.detector`` measures the hand detector, ``python -m bench.smoothing`` the One-Euro filter.
``python -m bench.real_hands`` measures networks on real pictures.
"""

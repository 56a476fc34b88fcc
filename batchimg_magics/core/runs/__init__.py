"""Runs: one command over the rows of a table. The input, the command line of each row, the job, its tasks, the answer.

May import: `errors`, `masking`, `pool_spec`, and of `core`: `base`, `azure`, `compute`, `batch`, `estimates`.
"""

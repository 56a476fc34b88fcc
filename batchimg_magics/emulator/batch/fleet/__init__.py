"""The nodes of a pool as a pure function of time: when they are allocated, start, and leave.

May import: ``batch/rest`` and below.
"""

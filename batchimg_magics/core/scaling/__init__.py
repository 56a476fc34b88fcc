"""Scale a pool: resize attempts until it has the requested nodes, their outcomes, bad nodes, autoscale, watching.

May import: ``estimates``, ``images`` and below.
"""

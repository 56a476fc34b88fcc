"""Tasks that really run: their command lines are processes of this machine. Off unless the user turns it on.

May import: `batch.model`, `batch.fleet`, `http`, `world`.
"""

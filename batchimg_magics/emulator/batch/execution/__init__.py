"""Tasks that really run: their command lines are processes of this machine. Off unless the user turns it on.

It imports from `batch.model`, `batch.fleet`, `http` and `world`.
"""

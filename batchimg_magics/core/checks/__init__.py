"""Preflight checks: the facts, the reader of the facts, and the rules.

May import: ``estimates``, ``images`` and below.
"""

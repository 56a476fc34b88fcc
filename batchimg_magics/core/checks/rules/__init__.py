"""The rules for images and pools: one function each, grouped by subject.

Azure reports most violations only after half an hour, or with unusable nodes that are billed.

May import: ``estimates``, ``images`` and below, and ``checks.facts``.
"""

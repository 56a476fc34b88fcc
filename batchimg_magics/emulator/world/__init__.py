"""The state of the emulator: its store of resources, its clock, seeded chance, and the evidence for its numbers.

May import: nothing of ``emulator``.
"""

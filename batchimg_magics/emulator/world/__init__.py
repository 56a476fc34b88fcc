"""The emulator state: its store of resources, simulated time, seeded chance, and the evidence for numbers and rules.

May import: nothing else of ``emulator``.
"""

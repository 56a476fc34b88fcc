"""What is known before anything is made, and what is wrong with it: facts, their reader, the rules.

May import: ``estimates``, ``images`` and below.
"""

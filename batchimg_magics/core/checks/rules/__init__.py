"""The rules that an image and a pool have to keep, one small function each, by subject.

Azure reports most of them late: after half an hour, or with nodes that are billed and never usable.

May import: ``estimates``, ``images`` and below, and the facts beside this folder.
"""

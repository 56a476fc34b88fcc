"""Open a connection: to the emulator in this process, or to Azure with a way to sign in; saved profiles.

May import: ``core`` and below; the emulator lazily.
"""

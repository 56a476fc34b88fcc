"""Talk to Azure: SDK clients, HTTP pipeline, errors, polling, prices, the local history file, ownership tags.

May import: ``base``.
"""

"""The resources of Microsoft.Compute and their rules. It handles no requests.

May import: ``network`` and below.
"""

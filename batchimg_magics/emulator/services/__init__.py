"""What surrounds Compute and Batch: subscriptions, resource groups, roles, sign-in, prices.

May import: ``batch`` and below.
"""

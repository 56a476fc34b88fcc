"""What stands around the two services: subscriptions, resource groups, roles, sign-in, prices.

May import: ``batch`` and below.
"""

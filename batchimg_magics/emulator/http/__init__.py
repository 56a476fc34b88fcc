"""Requests and responses: messages, hosts and planes, routes, tokens, throttling, scenarios, faults, filters, dates.

May import: ``world``.
"""

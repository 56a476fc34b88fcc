"""Requests and answers: messages, hosts and planes, routes, sign-in tokens, throttling, faults, filters, dates.

May import: ``world``.
"""

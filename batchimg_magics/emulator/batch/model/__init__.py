"""Accounts, pools, jobs and tasks, and their rules. It handles no requests.

May import: ``batch/fleet``, ``batch/autoscale`` and below.
"""

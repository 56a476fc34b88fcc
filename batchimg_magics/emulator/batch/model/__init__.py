"""What accounts, pools, jobs and tasks are and which rules they keep. Answers no request.

May import: ``batch/fleet``, ``batch/autoscale`` and below.
"""

"""What is asked about the run."""


def is_live_and_not_recording() -> bool:
    """Return True: the tests here run live only."""
    return True

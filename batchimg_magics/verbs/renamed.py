"""What was renamed: an old name is refused, and the error has the new one."""

from __future__ import annotations

__all__ = ["KEYWORDS", "METHODS", "OPTIONS", "VERBS"]

#: Old verb to the new one.
VERBS = {"orphans": "cleanup", "reap": "cleanup", "sim": "emulator", "size": "estimate", "stop": "stop-resize"}
#: Old option to the new one.
OPTIONS = {"--connect": "--login", "--through": "--api", "--world": "--state"}
#: Old `Session` method to the new one, and the keywords of all methods.
METHODS = {name: new.replace("-", "_") for name, new in VERBS.items() if new != "emulator"}
KEYWORDS = {name.lstrip("-"): new.lstrip("-") for name, new in OPTIONS.items()}

"""What may be a secret in the settings of a pool: values of variables and options whose name says so."""

from __future__ import annotations

import re

from batchimg_magics.masking import mask_tokens

__all__ = ["MASKED", "SECRET_NAME", "mask_command"]

#: Names of environment variables whose values may be secrets.
SECRET_NAME = re.compile(r"key|token|secret|password|passwd|pwd|sas|credential|connection", re.IGNORECASE)
MASKED = "***"
#: A value that a command line gives to such a name: ``TOKEN=...``, ``--password ...``.
_SECRET_VALUE = re.compile(
    rf"(?P<name>(?:\b[\w-]*(?:{SECRET_NAME.pattern})[\w-]*=|--[\w-]*(?:{SECRET_NAME.pattern})[\w-]*\s+))"
    r"(?:\"[^\"]*\"|'[^']*'|[^\s;&|'\"]+)",
    re.IGNORECASE,
)


def mask_command(command: str) -> str:
    """Return a command line with the values of possible secrets masked."""
    return _SECRET_VALUE.sub(rf"\g<name>{MASKED}", mask_tokens(command))

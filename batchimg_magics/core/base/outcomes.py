"""How a resize attempt can end: one table of outcome classes, the most severe first.

A new outcome class is one entry here. The column ``class``, the text of the column ``action``, the hint of the error,
the panel's texts and whether the resize stops are all read from its entry. Azure's codes that lead to it are in the
table of causes.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple, Self

__all__ = ["OutcomeClass"]

_RETRY_LATER = "run the same command again later: it continues from the nodes that the pool has"
_CONTINUE = "{fix}; {again} continues from the nodes that the pool has"


class _Entry(NamedTuple):
    """One row of the table.

    Parameters
    ----------
    name
        The word in the column ``class``.
    text
        What it means, in plain words; empty where the name is enough.
    action
        What the controller does next, for the column ``action``; empty: nothing.
    hint
        What the error suggests when the resize ends with it; may contain ``{again}``, the command that repeats the
        resize, and ``{fix}``, what to do about the cause.
    is_final
        Whether the resize stops at once.
    """

    name: str
    text: str = ""
    action: str = "stop"
    hint: str = _RETRY_LATER
    is_final: bool = False


class OutcomeClass(StrEnum):
    """The class of a resize attempt's outcome.

    Where an attempt has several errors, the class that is defined first here decides.
    """

    FATAL = _Entry(
        "fatal",
        "the same request can only fail again",
        hint="{fix}: the same request can only fail again",
        is_final=True,
    )
    QUOTA = _Entry(
        "quota",
        "a quota or a limit is reached",
        hint="{fix}, or add --take-what-fits",
        is_final=True,
    )
    EXTERNAL = _Entry(
        "external",
        "somebody else changed the pool",
        hint="the other change was left as it is; when it has ended, run {again}",
        is_final=True,
    )
    STOPPED = _Entry(
        "stopped",
        "somebody stopped the resize",
        hint="somebody stopped the resize; to continue, run {again}",
        is_final=True,
    )
    TRANSIENT = _Entry(
        "transient",
        "a temporary fault in Azure",
        action="wait, then retry",
        hint=_CONTINUE,
    )
    #: Also the class of a code that is not in this table.
    PARTIAL = _Entry(
        "partial",
        "fewer nodes were allocated than requested",
        action="retry",
        hint=_CONTINUE,
    )
    UNUSABLE = _Entry("unusable", "nodes were allocated and cannot run tasks", is_final=True)
    DONE = _Entry("done", action="")
    REPAIR = _Entry("repair", "bad nodes were rebooted, removed or replaced")
    CHANGED = _Entry("changed")
    PLANNED = _Entry("planned")

    text: str
    action: str
    hint: str
    is_final: bool

    def __new__(cls, *fields: Any) -> Self:
        """Make a member from its entry, whose fields are passed one by one."""
        entry = _Entry(*fields)
        member = str.__new__(cls, entry.name)
        member._value_ = entry.name
        member.text, member.action, member.hint = entry.text, entry.action, entry.hint
        member.is_final = entry.is_final
        return member

    @property
    def severity(self) -> int:
        """The position in the table: 0 is the most severe."""
        return list(OutcomeClass).index(self)

    @classmethod
    def text_of(cls, name: str) -> str:
        """Return the plain words for a word of the column ``class``; empty where another version wrote it."""
        return next((one.text for one in cls if one == name), "")

"""The columns of the tables of locks."""

from __future__ import annotations

from batchimg_magics.core.base.columns import Column

__all__ = ["LOCK_SCHEMAS"]

LOCK_SCHEMAS: dict[str, tuple[Column, ...]] = {
    "lock": (
        Column("field", "text", "name of the fact: the table and the key in the lock file"),
        Column("value", "text", "its value; missing if it could not be read"),
        Column("about", "text", "what it is"),
        Column("unknown", "text", "why it could not be read", form="problem"),
    ),
    "verify": (
        Column("field", "text", "name of the fact: the table and the key in the lock file"),
        Column(
            "status",
            "text",
            "ok, changed, gone, too small, ended, ends in N days, newer exists, not readable, or not locked: it could "
            "not be read when the lock was made",
        ),
        Column("locked", "text", "its value in the lock"),
        Column("found", "text", "its present value; missing if there is none"),
        Column("days", "int", "days until it ends, negative after it; missing if no end is announced"),
        Column("meaning", "text", "what a difference means"),
        Column("next", "text", "what to do", form="advice"),
    ),
    "rebuild": (
        Column("source", "text", "what the image is built from, the nearest to the locked image first"),
        Column("possible", "bool", "whether all that is needed exists"),
        Column("command", "text", "line to run, in the order of the rows", form="code"),
        Column("missing", "text", "what is missing", form="problem"),
        Column("differs", "text", "how the new image may differ from the locked one"),
    ),
}

"""The strings that ``time()`` takes: W3C-DTF and RFC 1123.

Source: the table of functions in Microsoft's autoscale document; "Date and Time Formats" (W3C) with its six forms; RFC
822 section 5 as RFC 1123 section 5.2.14 changes it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from batchimg_magics.emulator.batch.autoscale.values import FormulaError, Moment, moment_at
from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Autoscale language: strings with a time")
evidence.rule(
    "time() takes the six forms of W3C-DTF, in which a time of day needs a time zone, and dates of RFC 1123 with years "
    "of four digits; other strings, and dates with the wrong day of the week, are refused.",
    "the document names both formats, and says nothing about others",
)
_W3C = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d\d)(-(?P<day>\d\d)"
    r"(T(?P<hour>\d\d):(?P<minute>\d\d)(:(?P<second>\d\d)(?P<fraction>\.\d+)?)?(?P<zone>Z|[+-]\d\d:\d\d))?)?)?",
    re.ASCII,
)
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_RFC = re.compile(
    rf"((?P<weekday>{'|'.join(_DAYS)}), *)?(?P<day>\d\d?) +(?P<month>{'|'.join(_MONTHS)}) +(?P<year>\d{{4}}) +"
    r"(?P<hour>\d\d):(?P<minute>\d\d)(:(?P<second>\d\d))? +(?P<zone>[+-]\d{4}|[a-z]+)",
    re.ASCII | re.IGNORECASE,
)
#: Hours from UTC of the zones with a name.
_ZONES_H = {"gmt": 0, "ut": 0, "utc": 0, "z": 0, "est": -5, "edt": -4, "cst": -6, "cdt": -5} | {
    "mst": -7,
    "mdt": -6,
    "pst": -8,
    "pdt": -7,
}


def parse(text: str) -> Moment:
    """Return the timestamp in a string, or raise an error."""
    found = _W3C.fullmatch(text) or _RFC.fullmatch(text.strip())
    if found is None:
        raise _invalid(text)
    parts = found.groupdict()
    try:
        when = datetime(
            int(parts["year"]),
            _month(parts["month"]),
            int(parts["day"] or 1),
            int(parts["hour"] or 0),
            int(parts["minute"] or 0),
            int(parts["second"] or 0),
            tzinfo=_zone(parts["zone"]),
        )
        if (weekday := parts.get("weekday")) and when.weekday() != _DAYS.index(weekday.lower()):
            raise _invalid(text)
        return moment_at(when.timestamp() + float(parts.get("fraction") or 0))
    except (ValueError, KeyError, OverflowError, FormulaError):
        raise _invalid(text) from None


def _invalid(text: str) -> FormulaError:
    return FormulaError(f"Invalid time: {text}")


def _month(text: str | None) -> int:
    if text is None:
        return 1
    return int(text) if text.isdigit() else _MONTHS.index(text.lower()) + 1


def _zone(text: str | None) -> timezone:
    if text is None:
        return UTC
    if text[0] in "+-":
        digits = text[1:].replace(":", "")
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
    return timezone(timedelta(hours=_ZONES_H[text.lower()]))

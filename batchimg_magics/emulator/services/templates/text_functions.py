"""Functions of templates for strings.

Source: "String functions for ARM templates".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urljoin

import msgspec

from batchimg_magics.emulator.services.templates.expressions import TemplateError
from batchimg_magics.emulator.services.templates.work import check_length
from batchimg_magics.emulator.world.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Callable

evidence = Evidence("Functions of templates")
evidence.rule(
    "The values of uniqueString have Azure's form, but are not Azure's.",
    "the documents do not describe how Azure computes them",
)
#: The namespace of the function guid. Source: Bicep's own tests.
_GUIDS = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
#: The digits of the largest width in a format.
_WIDTH_DIGITS = 3
_HOLE = re.compile(r"\{\{|\}\}|\{(\d+)(?:,(-?\d+))?(?::([^{}]*))?\}")


def text_of(value: object, function: str) -> str:
    """Return an argument that has to be a string."""
    if not isinstance(value, str):
        raise TemplateError(
            f"The template language function '{function}' expects its parameter to be a string. The provided value is "
            f"of type '{type_word(value)}'. Please see https://aka.ms/arm-functions#{function} for usage details."
        )
    return value


def type_word(value: object) -> str:
    """Return the type of a value in the words of Azure's messages."""
    words = {bool: "Boolean", int: "Integer", float: "Float", str: "String", list: "Array", dict: "Object"}
    return words.get(type(value), "Null")


def to_text(value: object) -> str:
    """Convert a value to a string as templates do."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value)
    return "" if value is None else msgspec.json.encode(value).decode()


def format_text(template: object, *values: object) -> str:
    """Fill a string in the format of .NET: ``{0}``, ``{0,8}``, ``{0:D3}``."""
    length = 0

    def fill(match: re.Match[str]) -> str:
        nonlocal length
        if match[0] in ("{{", "}}"):
            return match[0][0]
        number = int(match[1])
        if number >= len(values):
            raise TemplateError(
                "The template language function 'format' is invalid: the index is greater than or equal to the number "
                "of its values."
            )
        shown = _formatted(values[number], match[3] or "")
        width = _width(match[2] or "0")
        filled = shown.rjust(width) if width >= 0 else shown.ljust(-width)
        length += len(filled)
        check_length(length)
        return filled

    text = text_of(template, "format")
    return _HOLE.sub(fill, text)


def _width(digits: str) -> int:
    if len(digits.lstrip("-")) > _WIDTH_DIGITS:
        raise TemplateError(f"The template language function 'format' does not support the width {digits}.")
    return int(digits)


def _formatted(value: object, how: str) -> str:
    letter, digits = how[:1].upper(), how[1:]
    if not how or not isinstance(value, int) or isinstance(value, bool):
        return to_text(value)
    if letter in "DNX" and (digits.isdigit() or not digits):
        width = _width(digits or "0")
        if letter == "N":
            return f"{value:,.{width if digits else 2}f}"
        shown = f"{abs(value):X}" if letter == "X" else str(abs(value))
        return ("-" if value < 0 else "") + shown.rjust(width, "0")
    if set(how) == {"0"}:
        return str(value).rjust(len(how), "0")
    raise TemplateError(f"The template language function 'format' does not support the format '{how}'.")


def unique_string(*values: object) -> str:
    """Return 13 letters and digits that depend on the values only."""
    digest = hashlib.sha256("-".join(text_of(one, "uniqueString") for one in values).encode()).digest()
    number = int.from_bytes(digest[:9], "big")
    return "".join(_ALPHABET[number >> 5 * place & 31] for place in range(13))


def guid(*values: object) -> str:
    """Return the GUID of some strings."""
    return str(uuid.uuid5(_GUIDS, "-".join(text_of(one, "guid") for one in values)))


def substring(text: object, start: object, length: object = None) -> str:
    """Return a part of a string, or refuse one outside."""
    inner = text_of(text, "substring")
    if not isinstance(start, int) or not (length is None or isinstance(length, int)):
        raise TemplateError("The template language function 'substring' expects integers for the start and the length.")
    end = len(inner) if length is None else start + length
    if start < 0 or end < start or end > len(inner):
        raise TemplateError(
            "The template language function 'substring' parameters are invalid: the index and length must refer to a "
            "location within the string. Please see https://aka.ms/arm-functions#substring for usage details."
        )
    return inner[start:end]


def split(text: object, signs: object) -> list[str]:
    """Split a string at one or several delimiters."""
    listed = [signs] if isinstance(signs, str) else signs
    if not isinstance(listed, list) or not all(isinstance(one, str) and one for one in listed):
        raise TemplateError("The template language function 'split' expects a delimiter or an array of delimiters.")
    return re.split("|".join(re.escape(one) for one in listed), text_of(text, "split"))


def join(parts: object, sign: object) -> str:
    """Join the values of an array."""
    if not isinstance(parts, list):
        raise TemplateError("The template language function 'join' expects an array as its first parameter.")
    texts, between = [to_text(one) for one in parts], text_of(sign, "join")
    check_length(sum(map(len, texts)) + len(between) * (len(texts) - 1))
    return between.join(texts)


def replace(text: object, old: object, new: object) -> str:
    """Replace each occurrence of a string in another one."""
    inner, was, becomes = (text_of(one, "replace") for one in (text, old, new))
    if not was:
        raise TemplateError("The template language function 'replace' expects a string to find that is not empty.")
    check_length(len(inner) + inner.count(was) * (len(becomes) - len(was)))
    return inner.replace(was, becomes)


def pad_left(text: object, length: object, sign: object = " ") -> str:
    """Fill a string or a number on the left."""
    if not isinstance(length, int):
        raise TemplateError("The template language function 'padLeft' expects an integer for the length.")
    check_length(length)
    return to_text(text).rjust(length, text_of(sign, "padLeft"))


def from_base64(text: object, function: str) -> str:
    """Decode base64."""
    try:
        return base64.b64decode(text_of(text, function), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise TemplateError(f"The template language function '{function}' expects a base64 string.") from None


def from_json(text: object) -> Any:  # noqa: ANN401 - any JSON
    """Decode JSON."""
    try:
        return msgspec.json.decode(text_of(text, "json"))
    except (msgspec.DecodeError, RecursionError) as error:
        raise TemplateError(f"The template language function 'json' parameter is not valid: {error}.") from error


def _data_uri_text(text: object) -> str:
    head, _, data = text_of(text, "dataUriToString").partition(",")
    return from_base64(data, "dataUriToString") if head.endswith(";base64") else unquote(data)


def _one(name: str, work: Callable[[str], Any]) -> Callable[..., Any]:
    return lambda text: work(text_of(text, name))


def _two(name: str, work: Callable[[str, str], Any]) -> Callable[..., Any]:
    return lambda text, other: work(text_of(text, name), text_of(other, name))


#: Name in lower case -> function.
TEXT_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "base64": _one("base64", lambda text: base64.b64encode(text.encode()).decode()),
    "base64tojson": lambda text: from_json(from_base64(text, "base64ToJson")),
    "base64tostring": lambda text: from_base64(text, "base64ToString"),
    "datauri": _one(
        "dataUri", lambda text: f"data:text/plain;charset=utf8;base64,{base64.b64encode(text.encode()).decode()}"
    ),
    "datauritostring": _data_uri_text,
    "endswith": _two("endsWith", lambda text, end: text.lower().endswith(end.lower())),
    "format": format_text,
    "guid": guid,
    "join": join,
    "json": from_json,
    "padleft": pad_left,
    "replace": replace,
    "split": split,
    "startswith": _two("startsWith", lambda text, start: text.lower().startswith(start.lower())),
    "string": to_text,
    "substring": substring,
    "tolower": _one("toLower", str.lower),
    "toupper": _one("toUpper", str.upper),
    "trim": _one("trim", str.strip),
    "uniquestring": unique_string,
    "uri": _two("uri", lambda base, tail: urljoin(base if base.endswith("/") else f"{base}/", tail.lstrip("/"))),
    "uricomponent": _one("uriComponent", lambda text: quote(text, safe="")),
    "uricomponenttostring": _one("uriComponentToString", unquote),
}

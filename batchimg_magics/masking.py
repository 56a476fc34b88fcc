"""What is never printed: secrets in any text, and characters that control a terminal.

`core` hands out tables, progress, errors and answers; where it does, and where the ledger writes a row, this module is
called. Each rule needs the name or the form of a secret: references (``$TOKEN``, ``{token}``, ``<token>``), words such
as ``true`` and numbers of statistics stay as they are.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "MASK",
    "make_visible",
    "mask_column",
    "mask_tokens",
    "mask_values",
    "visible_json",
    "visible_toml",
    "visible_values",
]

#: What stands in the place of a secret.
MASK = "***"

# -- the rules ---------------------------------------------------------------------------------------------------

#: An equals sign, also in a URL that is encoded once or twice, or around it spaces before a quote.
_EQUALS = r"(?:=|%(?:25)*3D| = ?(?=\\{0,15}[\"']))"
#: What stands before a name: no letter or digit, unless these are of an escape.
_BEFORE = r"(?:(?<![A-Za-z0-9])|(?<=%26|%3F|%3B|%0A)|(?<=2526|253F)|(?<=u0026)|(?<=\\n|\\t|\\r))"
#: Names whose values are secrets, in any case, with hyphens, underscores or humps.
_PREFIX = (
    r"access|account|api|auth|admin|batch|client|encryption|function|host|master|primary|private|sas|secondary|secret"
    r"|secret[_-]?access|service|shared|shared[_-]?access|signing|storage|storage[_-]?account|subscription"
)
_SECRET = (
    r"pass(?:word|wd|phrase)|(?:client|shared|app|application)?[_-]?secret|connection[_-]?string"
    rf"|(?:{_PREFIX})[_-]?key|instrumentation[_-]?key|shared[_-]?access[_-]?signature"
    r"|(?:(?:access|auth|bearer|id|identity|refresh|registration|sas|security|session|user)[_-]?)?token"
)
_NAME = rf"(?:{_BEFORE}(?:azure)?(?:{_SECRET})|(?<=[A-Za-z0-9])password)"
#: What is no secret: a reference, a placeholder, a word for nothing or for a choice, what is masked already.
_UNMASKED = (
    r"(?!\*\*\*|\.\.\.|…|(?-i:\$[A-Z_][A-Z0-9_]*)(?!\w)|\$env:|\$[({]|%[A-Z_]+%|\{{1,2}[a-z_][a-z_.]*\}|<[a-z][\w .-]*>"
    r"|@Microsoft\.KeyVault\(|(?:None|null|nil|true|false|required|missing|\(none\))(?!\w))"
)
#: A value up to a space, a quote, or what ends it in a URL or a connection string; or between quotes.
_VALUE = (
    rf"(?:\\{{0,15}}\"{_UNMASKED}[^\"\\\n]+|\\{{0,15}}'{_UNMASKED}[^'\\\n]+|{_UNMASKED}"
    r"[^\s'\"<>;&|,)\]\\](?:[^\s'\"<>;&|,)}\]\\]|,(?=\S))*)"
)
_IN_QUOTES = r"(?:\\[^\"'n]|[^\"'\\\n])+"
_OPENING = r"\s*\\{0,15}[\"']"
#: Names whose values can be plain numbers, as in statistics; and one whose short values are codes.
_CAN_BE_NUMBER = re.compile(r"(?:token|sig)\W*(?:3D)?$", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?\d[\d.,_]{0,9}(?:e[-+]?\d+)?%?", re.IGNORECASE)
_MIN_CODE = 20


class _Rule(NamedTuple):
    """What is masked, and words in lower case of which one is in every text with such a secret."""

    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: str | Callable[[re.Match[str]], str]


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.MULTILINE)


def _mask_value(match: re.Match[str]) -> str:
    """Mask the value, and keep the quote that it begins with."""
    name, value = match["name"], match["value"]
    quote = _QUOTE.match(value)
    start = quote[0] if quote else ""
    is_code = name.lower().rstrip("=%3d").endswith("code")
    if (is_code and len(value) < _MIN_CODE) or (_CAN_BE_NUMBER.search(name) and _NUMBER.fullmatch(value)):
        return match[0]
    return f"{name}{start}{MASK}"


_QUOTE = re.compile(r"\\{0,15}[\"']")


def _mask_basic(match: re.Match[str]) -> str:
    """Mask a user name and a password in base64; other long words after "Basic" are text."""
    word = match["value"].rstrip("=")
    try:
        decoded = base64.b64decode(word + "=" * (-len(word) % 4), validate=True)
    except (binascii.Error, ValueError):
        return match[0]
    is_pair = b":" in decoded and decoded.isascii() and decoded.decode("ascii").isprintable()
    return f"{match['name']} {MASK}" if is_pair else match[0]


_NAMES = ("pass", "secret", "key", "token", "connection", "signature")
_RULES = (
    # A private key, whose end may be cut off.
    _Rule(
        ("private key",),
        _compiled(
            r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY[A-Z ]{0,10}-----"
            r"(?! \*\*\*)(?:[^-]|-(?!----END))*(?:-----END[A-Z0-9 ]{0,40}-----)?"
        ),
        f"-----BEGIN PRIVATE KEY----- {MASK}",
    ),
    # The query of a URL with a signature, and a signature outside a URL.
    # Source: Azure Storage, a shared access signature is the query parameter ``sig``.
    _Rule(("sig",), _compiled(rf"\?[^\s'\"<>?]*?{_BEFORE}sig{_EQUALS}[^\s'\"<>\\]*"), ""),
    _Rule(
        ("sig", "code", "credential"),
        _compiled(
            rf"(?P<name>(?:{_BEFORE}sig|[?&](?:code|signature|x-(?:amz|goog)-(?:signature|credential|security-token)))"
            rf"{_EQUALS}){_UNMASKED}(?P<value>[^\s&'\"<>\\]+)"
        ),
        _mask_value,
    ),
    # An HTTP header.
    _Rule(
        ("bearer",),
        _compiled(r"\b(Bearer)(?: |%20|\+)(?!(?:[a-z]{1,20}[-/.])+[a-z]{1,20}\b)[\w.~+/=-]{16,}"),
        rf"\1 {MASK}",
    ),
    _Rule(
        ("bearer",),
        _compiled(r"(Authorization\\{0,15}[\"']?: ?\\{0,15}[\"']?Bearer) [\w.~+/=-]{8,}"),
        rf"\1 {MASK}",
    ),
    _Rule(("basic",), _compiled(r"\b(?P<name>Basic) (?P<value>[A-Za-z0-9+/]{8,}={0,2})"), _mask_basic),
    _Rule(("sharedkey",), _compiled(r"\b(SharedKey(?:Lite)?) [^\s:'\"]+:[\w+/=]{16,}"), rf"\1 {MASK}"),
    _Rule(
        ("-key",),
        _compiled(rf"(?P<name>\b(?:x-[\w-]{{0,40}}key|ocp-apim-subscription-key|api-key): ){_UNMASKED}[^\s'\"]+"),
        rf"\g<name>{MASK}",
    ),
    # A value beside its name: in a connection string, on a command line, in an environment.
    _Rule(_NAMES, _compiled(rf"(?P<name>{_NAME}{_EQUALS})(?P<value>{_VALUE})"), _mask_value),
    # ``PWD`` is the working directory, too.
    _Rule(("pwd",), _compiled(rf"(?P<name>{_BEFORE}pwd{_EQUALS})(?P<value>(?![/~.]|[a-z]:){_VALUE})"), _mask_value),
    _Rule(
        ("--",),
        _compiled(
            rf"(?P<name>--(?:[a-z0-9]+-){{0,4}}(?:{_SECRET}) +)"
            rf"(?P<value>(?!-|(?:is|are|has|needs|must|cannot|and|or|with|to|for|in|from|of)\b){_VALUE})"
        ),
        _mask_value,
    ),
    # In JSON, also inside a text of JSON; in a dictionary of Python; a pair of a name and a value.
    _Rule(
        _NAMES,
        _compiled(
            rf"(?P<name>\\{{0,15}}[\"'][\w.-]{{0,60}}(?:{_SECRET})\\{{0,15}}[\"']\s*:{_OPENING}){_UNMASKED}{_IN_QUOTES}"
        ),
        rf"\g<name>{MASK}",
    ),
    _Rule(
        ("value",),
        _compiled(
            rf"(?P<name>[\"']name\\{{0,15}}[\"']\s*:{_OPENING}[\w.-]{{0,60}}(?:{_SECRET}|_sas|_key)\\{{0,15}}[\"']\s*,"
            rf"{_OPENING}value\\{{0,15}}[\"']\s*:{_OPENING}){_UNMASKED}{_IN_QUOTES}"
        ),
        rf"\g<name>{MASK}",
    ),
    _Rule(
        ("protectedsettings",),
        _compiled(r"(?P<name>[\"']protectedSettings\\{0,15}[\"']\s*:\s*)\{[^{}]+\}"),
        rf'\g<name>"{MASK}"',
    ),
    # In XML, as in the answer file of Windows.
    _Rule(("</",), _compiled(rf"(?P<name><(?:\w{{1,20}}:)?\w{{0,30}}(?:{_SECRET})>)[^<>]+(?=</)"), rf"\g<name>{MASK}"),
    # In YAML and in output for people: a value with a digit or a sign, alone at the end of its line.
    _Rule(
        _NAMES,
        _compiled(
            rf"(?P<name>^[\w .\t-]{{0,60}}?\b(?:{_SECRET})(?: ?: +| = ))"
            rf"{_UNMASKED}(?=\S*[\d!#$%&*+=@^~])[^\s'\"]{{4,}}(?=\s*$)"
        ),
        rf"\g<name>{MASK}",
    ),
    # Credentials in a URL before its host.
    _Rule(("://",), _compiled(r"(?<=://)[^\s/@'\":<>]*:[^\s/'\"<>]+(?=@)|(?<=://)[\w~.-]{20,}(?=@)"), MASK),
    # Secrets that are known by their form: JSON web tokens, keys of storage and Batch accounts, secrets of Entra
    # applications, and tokens of services that start tasks read from.
    _Rule(("eyj",), re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)*"), MASK),
    _Rule(
        ("==", "3d%3d"), re.compile(r"(?<![\w+/-])(?:[A-Za-z0-9+/]|%2[BFbf]){86}(?:==|%3[Dd]%3[Dd])(?![\w+/=])"), MASK
    ),
    _Rule(("q~",), re.compile(r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}(?![\w~-])"), MASK),
    _Rule(
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "hf_", "glpat-", "xox", "sk-proj-", "sk-ant-"),
        re.compile(
            r"\b(?:gh[pousr]_\w{36,}|github_pat_\w{22,}|hf_[A-Za-z]{30,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}"
            r"|sk-(?:proj|ant)-[\w-]{20,})"
        ),
        MASK,
    ),
)
#: The words of all rules, each once; none of them is in most texts.
_NEEDLES = tuple(dict.fromkeys(needle for rule in _RULES for needle in rule.needles))
#: A field of a document whose value is a secret.
_SECRET_FIELD = re.compile(rf"[\w.-]{{0,60}}(?:{_SECRET})", re.IGNORECASE)
#: Control characters but tab and newline, and characters that are invisible or change the direction of text.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


# -- secrets -----------------------------------------------------------------------------------------------------


def mask_tokens(text: str) -> str:
    """Return a text without the signatures, keys, tokens and passwords in it.

    Parameters
    ----------
    text
        Any text that is displayed, stored or sent.
    """
    lower = text.lower()
    for needles, pattern, replacement in _RULES:
        if any(needle in lower for needle in needles):
            text = pattern.sub(replacement, text)
    return text


def mask_values(value: Any) -> Any:  # noqa: ANN401 - a JSON document
    """Return a JSON document whose texts are masked, and the values of fields such as ``password`` as a whole."""
    if isinstance(value, str):
        return mask_tokens(value)
    if isinstance(value, dict):
        return {mask_values(key): _mask_field(key, kept) for key, kept in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(mask_values, value)) if type(value) in (list, tuple) else value
    return value


def _mask_field(key: object, value: Any) -> Any:  # noqa: ANN401 - a JSON document
    is_secret = isinstance(value, str) and value and isinstance(key, str) and _SECRET_FIELD.fullmatch(key)
    return MASK if is_secret else mask_values(value)


_Values = TypeVar("_Values", bound="Sequence[Any]")


def mask_column(values: _Values) -> _Values | list[Any]:
    """Return the values of a column with the texts masked; the same object where nothing is to be masked.

    All texts are searched at once for the words that every secret has beside it: most columns have none.
    """
    if len(values) > 1 and isinstance(values[0], str) and values.count(values[0]) == len(values):
        masked = mask_tokens(values[0])
        return values if masked == values[0] else [masked] * len(values)
    texts = set(values)
    texts.discard(None)
    try:
        whole = "\n".join(texts).lower()
    except TypeError:  # some values are no texts
        texts = {value for value in texts if isinstance(value, str)}
        whole = "\n".join(texts).lower()
    if not any(needle in whole for needle in _NEEDLES):
        return values
    changed = {text: masked for text in texts if (masked := mask_tokens(text)) != text}
    return [changed.get(value, value) if isinstance(value, str) else value for value in values] if changed else values


# -- characters --------------------------------------------------------------------------------------------------


def make_visible(text: str) -> str:
    r"""Return a text whose control characters are written as escapes: ``\x1b``, ``\u202e``."""
    return text if text.isascii() and text.isprintable() else _INVISIBLE.sub(_escaped, text)


def visible_json(text: str) -> str:
    """Return the text of a JSON document with the same values, without characters that control a terminal."""
    if text.isascii() and "\x7f" not in text:
        return text  # JSON escapes the others of ASCII
    return _INVISIBLE.sub(lambda match: "\\u007f" if match[0] == "\x7f" else json.dumps(match[0])[1:-1], text)


def visible_toml(text: str) -> str:
    """Return the text of a TOML document with the same values, without characters that deceive whoever reviews it."""
    return _INVISIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}" if match[0] < "\U00010000" else _escaped(match), text)


def visible_values(value: Any) -> Any:  # noqa: ANN401 - a JSON document
    """Return a JSON document whose texts can be displayed: masked, and with visible control characters."""
    if isinstance(value, str):
        return make_visible(mask_tokens(value))
    if isinstance(value, dict):
        return {visible_values(key): visible_values(kept) for key, kept in value.items()}
    return [visible_values(one) for one in value] if isinstance(value, (list, tuple)) else value


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

"""Files with the output of Azure's tools, as people save it: from bytes to documents, or refused with one line.

They are JSON or YAML, one document or several, with or without a byte order mark, with the colours of ``-o jsonc``.
Tables, tab-separated values and what was cut off are refused.
"""

from __future__ import annotations

import codecs
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from batchimg_magics.emulator.http.decoding import MAX_JSON_DEPTH, is_deep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Larger files are refused: the JSON of 10,000 VMs takes about as much.
LARGEST_BYTES = 64 * 1024 * 1024
#: What to do about a file that is not the output of a tool.
SAVE_AGAIN = "save the unchanged output of the Azure CLI: `az vm show --ids ID --output json > FILE`"
_SUFFIXES = frozenset({".json", ".jsonl", ".ndjson", ".yaml", ".yml"})
#: Byte order marks, the longer ones first, because that of UTF-32 begins like that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
#: How other files begin.
_OTHER_FILES = ((b"\x1f\x8b", "a gzip file"), (b"PK\x03\x04", "a zip file"), (b"%PDF", "a PDF file"))
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_RULE_OF_TABLE = re.compile(r"^ *-{2,}(?: +-{2,})* *$")


class ImportRefusedError(ValueError):
    """A document that cannot be imported; the message says which one and why.

    Parameters
    ----------
    message
        Where it is and what is wrong, in one line.
    hint
        What to do.
    """

    def __init__(
        self, message: str, hint: str = "VMs, disks, snapshots, images and Batch accounts can be imported"
    ) -> None:
        super().__init__(" ".join(message.split()))
        self.hint = hint


class Sourced(msgspec.Struct, frozen=True):
    """A value in a file, and where it is.

    Parameters
    ----------
    where
        The file, and the number of the document if there are several.
    value
        The JSON value.
    """

    where: str
    value: Any


def read_files(paths: Iterable[str | Path]) -> list[Sourced]:
    """Read files and the files in directories.

    Raises
    ------
    ImportRefusedError
        A file cannot be read, or is not the output of a tool.
    """
    return [one for path in paths for file in _files(Path(path).expanduser()) for one in _read(file)]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(one for one in path.iterdir() if one.suffix.lower() in _SUFFIXES and one.is_file())
    if not found:
        raise ImportRefusedError(f"{path} has no files that end in .json or .yaml", SAVE_AGAIN)
    return found


def _read(file: Path) -> list[Sourced]:
    try:
        size = file.stat().st_size
        if size > LARGEST_BYTES:
            raise ImportRefusedError(
                f"{file} has {size:,} bytes, which is more than {LARGEST_BYTES:,}",
                "import the resources in several files",
            )
        content = file.read_bytes()
    except OSError as error:
        raise ImportRefusedError(
            f"{file} cannot be read: {error.strerror}", "specify a file with the output of `az ... show`"
        ) from error
    return read_documents(content, str(file))


def read_documents(content: bytes, name: str) -> list[Sourced]:
    """Return the documents in a file.

    Parameters
    ----------
    content, name
        The bytes and the name of the file.

    Raises
    ------
    ImportRefusedError
        It is not the output of a tool.
    """
    text = _COLOURS.sub("", _decoded(content, name))
    if not text.strip():
        raise ImportRefusedError(f"{name} is empty", SAVE_AGAIN)
    _refuse_other_formats(text, name)
    try:
        values = list(_json_values(text, name) if text.lstrip()[0] in "{[" else _yaml_values(text, name))
    except RecursionError:
        raise _too_deep(name) from None
    documents = [Sourced(name if len(values) == 1 else f"{name}, document {n}", one) for n, one in enumerate(values, 1)]
    for one in documents:
        if not isinstance(one.value, dict | list):
            raise ImportRefusedError(f"{one.where} has no resource documents: it is {_shown(one.value)}", SAVE_AGAIN)
        if is_deep(one.value, MAX_JSON_DEPTH):
            raise _too_deep(one.where)
    return documents


def _shown(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _too_deep(where: str) -> ImportRefusedError:
    return ImportRefusedError(f"{where} is nested more than {MAX_JSON_DEPTH} levels deep", SAVE_AGAIN)


def _decoded(content: bytes, name: str) -> str:
    """Return the text of a file: with a byte order mark, UTF-16 without one, or UTF-8."""
    for start, what in _OTHER_FILES:
        if content.startswith(start):
            raise ImportRefusedError(f"{name} is {what}", SAVE_AGAIN)
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "")
    if not encoding:
        encoding = {b"\0": "utf-16-le"}.get(content[1:2], {b"\0": "utf-16-be"}.get(content[:1], "utf-8"))
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ImportRefusedError(
            f"{name} is not text in {encoding.upper()}: byte {error.start + 1} is wrong",
            "save the file as UTF-8 or UTF-16",
        ) from error
    if "\0" in text:
        raise ImportRefusedError(f"{name} is not a text file", SAVE_AGAIN)
    return text


def _refuse_other_formats(text: str, name: str) -> None:
    lines = text.strip().splitlines()
    use_json = "use --output json: `az vm show --ids ID --output json > FILE`"
    if any(_RULE_OF_TABLE.match(line) for line in lines[1:2]):
        raise ImportRefusedError(f"{name} is a table (--output table), which has only some of the properties", use_json)
    if lines[0].startswith("<"):
        raise ImportRefusedError(f"{name} is XML or HTML", use_json)
    if "\t" in lines[0] and lines[0][:1] not in "{[":
        raise ImportRefusedError(
            f"{name} has tab-separated values (--output tsv), without the names of properties", use_json
        )
    if re.match(r"\S[^:]*\s*: |\S+ +: ", lines[0]) and re.search(r"^\w+ {2,}: ", text, re.MULTILINE):
        raise ImportRefusedError(
            f"{name} is a list of PowerShell (Format-List)", "use `Get-AzVM ... | ConvertTo-Json -Depth 20 > FILE`"
        )
    if re.match(r"(ERROR|az|Traceback|usage): ?", lines[0]):
        raise ImportRefusedError(f"{name} has an error message: {lines[0][:80]}", SAVE_AGAIN)


def _yaml_values(text: str, name: str) -> Iterator[Any]:
    from batchimg_magics.emulator.arm import import_yaml  # most files are JSON

    try:
        yield from import_yaml.values(text)
    except ValueError as error:
        raise ImportRefusedError(f"{name} is neither JSON nor YAML: {error}", SAVE_AGAIN) from error


# -- JSON --------------------------------------------------------------------------------------------------------


def _json_values(text: str, name: str) -> Iterator[Any]:
    """Yield the JSON values in a text, which may be several, one after the other."""
    decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)
    place, number = 0, 0
    while rest := text[place:].lstrip():
        place, number = len(text) - len(rest), number + 1
        try:
            value, place = decoder.raw_decode(text, place)
        except json.JSONDecodeError as error:
            raise _broken(
                name, f"{error.msg.removesuffix(' at')}, line {error.lineno}, column {error.colno}", error, text
            ) from error
        except ValueError as error:  # of the hooks, or a number with thousands of digits
            raise ImportRefusedError(f"{name}, document {number}: {error}", SAVE_AGAIN) from error
        yield value


def _broken(name: str, what: str, error: json.JSONDecodeError, text: str) -> ImportRefusedError:
    ends = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")
    reason = f"it ends too early: {what}" if ends else what
    return ImportRefusedError(f"{name} is neither JSON nor YAML: {reason}", SAVE_AGAIN)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice in one object")
    return found


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON number")

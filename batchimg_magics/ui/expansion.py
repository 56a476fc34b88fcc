"""Replace references to variables by their values: in the words of a line, and in the YAML body of a cell.

``$name`` and ``{expression}`` are replaced inside words, in quotes, too; ``$`` is text in single quotes. A value is one
word, or one value in YAML: it is neither split nor expanded again. A name that does not exist is an error in a word; in
a text with spaces, a command line or a formula it stays: it may be a variable of a shell.
"""

from __future__ import annotations

import ast
import builtins
import json
import math
import os
import re
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from batchimg_magics.errors import SpecError
from batchimg_magics.ui.references import Part, Reference, Unescape, read_braces, read_dollar

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping

    import yaml

    from batchimg_magics.ui.line_words import Word

__all__ = ["FORMULA_VARIABLES", "evaluate_reference", "expand_body", "expand_words"]

#: Names of Batch, never of a notebook. Source: "Batch runtime environment variables"; "Create a formula to
#: automatically scale compute nodes": variables.
_BATCH_PREFIX = "AZ_BATCH_"
FORMULA_VARIABLES = frozenset(
    {
        "TargetDedicatedNodes", "TargetLowPriorityNodes", "NodeDeallocationOption", "TargetDedicated", "CPUPercent",
        "WallClockSeconds", "MemoryBytes", "DiskBytes", "DiskReadBytes", "DiskWriteBytes", "DiskReadOps",
        "DiskWriteOps", "NetworkInBytes", "NetworkOutBytes", "SampleNodeCount", "ActiveTasks", "RunningTasks",
        "PendingTasks", "SucceededTasks", "FailedTasks", "TaskSlotsPerNode", "CurrentDedicatedNodes",
        "CurrentDedicated", "CurrentLowPriorityNodes", "UsableNodeCount", "PreemptedNodeCount",
    }
)  # fmt: skip
#: Keys of a body, without hyphens and underscores, whose values are command lines, formulas, or settings of others.
_CODE_KEYS = frozenset({"starttask", "commandline", "checkcommand", "formula", "autoscaleformula", "extensions"})
_CONVERSIONS: dict[str, Callable[[object], str]] = {"r": repr, "s": str, "a": ascii}
_FLAG = re.compile(r"--[\w-]+=")
_INTEGER = re.compile(r"-?(?:0|[1-9]\d*)")


class _UnknownName(Exception):  # noqa: N818 - not an error yet: in a text, the reference stays
    """A reference names a variable that does not exist."""


def expand_words(words: tuple[Word, ...], variables: Mapping[str, Any], code_options: Container[str] = ()) -> list[str]:
    """Return the words of a line, with the values of variables in place of the references.

    Parameters
    ----------
    words
        The words.
    variables
        The scope of the cell.
    code_options
        The options whose values are command lines or formulas.

    Raises
    ------
    SpecError
        There is no such variable, its value cannot be used on a line, or the expression raises an error.
    """
    expanded: list[str] = []
    for word in words:
        flag = match[0][:-1] if (match := _FLAG.match(word.source)) else expanded[-1] if expanded else ""
        is_code = flag in code_options
        parts = word.parts
        *before, last = parts or ("",)
        alone = isinstance(last, Reference) and (
            not before or (len(before) == 1 and bool(_FLAG.fullmatch(str(before[0]))))
        )
        is_strict = alone or not (is_code or word.has_spaces)
        expanded.append("".join(_texts(parts, variables, is_strict=is_strict, is_code=is_code)))
    return expanded


def _texts(parts: tuple[Part, ...], variables: Mapping[str, Any], *, is_strict: bool, is_code: bool) -> Iterator[str]:
    for part in parts:
        if isinstance(part, str):
            if is_strict and (match := re.search(r"\$\{([^\W\d]\w*)\}", part)):
                raise SpecError(f"{match[0]} is not expanded", hint=f"write {{{match[1]}}} for the value of {match[1]}")
            yield part
        elif part.is_dollar and _belongs_to_batch(part.code, is_code=is_code):
            yield part.source
        else:
            try:
                yield str(_value(part, variables))
            except _UnknownName as unknown:
                if is_strict:
                    raise _unknown_error(part, str(unknown), variables) from None
                yield part.source


def _belongs_to_batch(name: str, *, is_code: bool) -> bool:
    return name.startswith(_BATCH_PREFIX) or (is_code and name in FORMULA_VARIABLES)


def _unknown_error(reference: Reference, name: str, variables: Mapping[str, Any]) -> SpecError:
    from batchimg_magics.pool_spec.values import suggest_name  # only an error needs it

    literal = f"${reference.source}" if reference.is_dollar else f"{{{reference.source}}}"
    near = suggest_name(name, [one for one in variables if not one.startswith("_")])
    hint = f"variables are looked up in the scope of the cell; for the text {reference.source} itself, write {literal}"
    return SpecError(f"there is no variable {name!r}", hint=f"{near} {hint}" if near.startswith("did") else hint)


def _value(reference: Reference, variables: Mapping[str, Any]) -> str | float:
    """Return the value of a reference: text, or a number that YAML can have.

    Raises
    ------
    _UnknownName
        It names a variable that does not exist.
    SpecError
        Its value cannot be used, or the expression raises an error.
    """
    if reference.is_dollar:
        return _dollar_value(reference, variables)
    value = _evaluate(reference, variables)
    if reference.conversion:
        value = _CONVERSIONS[reference.conversion](value)
    if reference.format_spec is not None:
        try:
            return format(value, reference.format_spec)
        except (ValueError, TypeError) as error:
            raise _evaluation_error(reference, error) from error
    return _allowed_value(value, reference.code)


def evaluate_reference(reference: Reference, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any object
    """Return the object that a reference names, whatever its type; None if there is no such variable.

    Raises
    ------
    SpecError
        The expression raises an error.
    """
    try:
        if not reference.is_dollar:
            return _evaluate(reference, variables)
        value = variables.get(reference.code)
        for name in reference.attributes:
            value = getattr(value, name, None)
    except _UnknownName:
        return None
    return value


def _dollar_value(reference: Reference, variables: Mapping[str, Any]) -> str | float:
    """Return the value of ``$name``, or of ``$name.attribute`` if there is such an attribute."""
    if reference.code not in variables:
        raise _UnknownName(reference.code)
    value, used = variables[reference.code], 0
    best: tuple[Any, int] | None = (value, 0) if _is_allowed(value) else None
    for used, name in enumerate(reference.attributes, start=1):
        try:
            value = getattr(value, name)
        except AttributeError:
            break
        if _is_allowed(value):
            best = value, used
    if best is None:
        return _allowed_value(variables[reference.code], reference.code)
    rest = "".join(f".{name}" for name in reference.attributes[best[1] :])
    found = _allowed_value(best[0], reference.code)
    return f"{found}{rest}" if rest else found


def _evaluate(reference: Reference, variables: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any object
    names = {node.id for node in ast.walk(ast.parse(f"({reference.code}\n)")) if isinstance(node, ast.Name)}
    if names == {reference.code} and reference.code not in variables:
        raise _UnknownName(reference.code)  # also the name of a builtin: `{print}` of awk is no variable
    try:
        # Everything in one namespace: a generator inside an expression sees no local ones.
        return eval(f"({reference.code}\n)", {**variables, "__builtins__": builtins})  # noqa: S307 - the user's own code, as in any cell
    except NameError as error:
        if error.name in names and error.name not in variables:
            raise _UnknownName(error.name) from None
        raise _evaluation_error(reference, error) from error
    except Exception as error:  # an expression can raise anything; it is reported in one line
        raise _evaluation_error(reference, error) from error


def _evaluation_error(reference: Reference, error: Exception) -> SpecError:
    said = " ".join(str(error).split())
    return SpecError(
        f"{reference.source}: {type(error).__name__}: {said[:200]}", hint="correct the expression in braces"
    )


def _is_allowed(value: object) -> bool:
    return isinstance(value, (str, Real, os.PathLike)) or type(value).__name__ in ("bool_", "bool")


def _allowed_value(value: Any, code: str) -> str | float:  # noqa: ANN401 - any object
    if isinstance(value, str):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if _is_allowed(value):
        return bool(value)  # of NumPy
    kind = "None" if value is None else f"a {type(value).__name__}"
    raise SpecError(
        f"{code} is {kind}", hint="use a string, a number, a path or a bool; {str(name)} makes a string of any object"
    )


# -- the YAML body of a cell ---------------------------------------------------------------------------------------


def expand_body(text: str, variables: Mapping[str, Any]) -> str:
    """Return the YAML body of a cell, with the values of variables in place of the references; lines stay lines.

    In command lines, formulas and block scalars, ``$`` is text: a script on the node has variables, too.

    Raises
    ------
    SpecError
        There is no such variable, its value cannot be used, or the expression raises an error.
    """
    if "{" not in text and "$" not in text:
        return text
    return _Body(text, variables).expanded()


class _Body:
    """A body whose references in braces are marked, since YAML reads a brace as the start of a mapping."""

    def __init__(self, text: str, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        # A character for private use that is not in the text.
        self._mark = next(chr(code) for code in range(0xE000, 0xF8FF) if chr(code) not in text)
        self._marked: list[Part] = []
        self._sources: list[str] = []
        self._text = self._mark_braces(text)
        self._changes: dict[tuple[int, int], str] = {}
        self._visited: set[int] = set()

    def _mark_braces(self, text: str) -> str:
        pieces: list[str] = []
        unescape, place = Unescape(), 0
        part: Part
        while place < len(text):
            start = place
            if (brace := unescape.read(text, place)) is not None:
                part, place = brace
                pieces.append(self._new_mark(part, text[start:place]))
            elif text[place] == "$" and not text.startswith("$$", place):
                part, place = read_dollar(text, place)
                pieces.append(text[start:place])  # ${NAME} is skipped; $name is read in its scalar
            elif text[place] == "{":
                part, place = read_braces(text, place)
                pieces.append(self._new_mark(part, text[start:place]) if isinstance(part, Reference) else part)
            else:
                pieces.append(text[place])
                place += 1
        return "".join(pieces)

    def _new_mark(self, part: Part, source: str) -> str:
        self._marked.append(part)
        self._sources.append(source)
        return f"{self._mark}{len(self._marked) - 1}{self._mark}"

    def _unmarked(self, text: str) -> str:
        return re.sub(f"{self._mark}(\\d+){self._mark}", lambda match: self._sources[int(match[1])], text)

    def expanded(self) -> str:
        import yaml  # not when the extension is loaded

        from batchimg_magics.pool_spec.body import compose_body, parse_body

        try:
            root = compose_body(self._text)
        except yaml.YAMLError:
            parse_body(self._text)  # raises the error, with its line
            return self._unmarked(self._text)
        if root is not None:
            self._visit(root, is_code=False)
        text = self._text
        for (start, end), new in sorted(self._changes.items(), reverse=True):
            text = text[:start] + new + text[end:]
        return self._unmarked(text)

    def _visit(self, node: yaml.Node, *, is_code: bool) -> None:
        import yaml

        if id(node) in self._visited:
            return  # an alias
        self._visited.add(id(node))
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                self._visit(key, is_code=is_code)
                name = re.sub("[_-]", "", str(key.value)).lower()
                self._visit(value, is_code=is_code or name in _CODE_KEYS)
        elif isinstance(node, yaml.SequenceNode):
            for one in node.value:
                self._visit(one, is_code=is_code)
        elif isinstance(node, yaml.ScalarNode) and (self._mark in node.value or "$" in node.value):
            self._expand_scalar(node, is_code=is_code or node.style in ("|", ">"))

    def _expand_scalar(self, node: yaml.ScalarNode, *, is_code: bool) -> None:
        parts = tuple(self._parts(node.value, dollars=node.style != "'", is_code=is_code))
        span = self._text[node.start_mark.index : node.end_mark.index]
        prefix = match[0] if (match := re.match(r"(?:[&!]\S*\s+)+", span)) else ""  # an anchor or a tag
        try:
            if len(parts) == 1 and isinstance(parts[0], Reference) and node.style is None:
                new = self._whole_value(parts[0])
            else:
                spaced = any(re.search(r"\s", part) for part in parts if isinstance(part, str))
                strict = len(parts) == 1 or not (is_code or spaced)
                text = "".join(_texts(parts, self._variables, is_strict=strict, is_code=is_code))
                new = _scalar(text) if node.style is None else _quoted(text)
        except SpecError as error:
            line = node.start_mark.line + 1
            raise SpecError(f"line {line}: {error.message}", hint=error.hint) from None
        if new is not None and parts != (node.value,):
            # The body keeps its lines: errors have their numbers.
            lines = "\n" * (span.count("\n") - prefix.count("\n"))
            self._changes[node.start_mark.index, node.end_mark.index] = f"{prefix}{new}{lines}"

    def _whole_value(self, reference: Reference) -> str | None:
        """Return a value as YAML has it; None: leave the text."""
        if reference.is_dollar and _belongs_to_batch(reference.code, is_code=True):
            return None
        try:
            value = _value(reference, self._variables)
        except _UnknownName as unknown:
            raise _unknown_error(reference, str(unknown), self._variables) from None
        return _scalar(value)

    def _parts(self, value: str, *, dollars: bool, is_code: bool) -> Iterator[Part]:
        """Yield the parts of a scalar."""
        alone = re.fullmatch(r"\$[^\W\d]\w*", value)
        text = ""
        place = 0
        part: Part
        while place < len(value):
            if match := re.compile(f"{self._mark}(\\d+){self._mark}").match(value, place):
                part, place = self._marked[int(match[1])], match.end()
            elif value[place] == "$" and dollars and (alone or not is_code):
                part, place = read_dollar(value, place)
            else:
                part, place = value[place], place + 1
            if isinstance(part, str):
                text += part
                continue
            if text:
                yield text
            text = ""
            yield part
        if text:
            yield text


def _scalar(value: str | float) -> str:
    """Return a value as a plain scalar, text in quotes; text of digits is a number, as it is on a line."""
    if isinstance(value, str):
        return value if _INTEGER.fullmatch(value) else _quoted(value)
    if isinstance(value, int):
        return json.dumps(value)
    if not math.isfinite(value):
        return f"{value}".replace("nan", ".nan").replace("inf", ".inf")
    mantissa, e, exponent = repr(value).partition("e")
    return f"{mantissa}{'' if '.' in mantissa else '.0'}{e}{exponent}"


def _quoted(text: str) -> str:
    """Return text in double quotes, as YAML and JSON read it."""
    escaped = json.dumps(text, ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f\u2028\u2029\ufeff]", lambda match: f"\\u{ord(match[0]):04x}", escaped)

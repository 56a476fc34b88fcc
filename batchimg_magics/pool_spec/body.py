"""Parse the body of a cell or the content of a file: YAML, or JSON, which Azure's tools write.

Limits keep a wrong or hostile file from filling the memory: how deep values are nested, how many there are, and how
long a number is. What YAML 1.1 reads in a surprising way is read as it looks: ``1:30`` and ``2026-07-01`` are text,
``010`` is ten. A key that is there twice is refused, because the first value would be lost.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from batchimg_magics.errors import SpecError

__all__ = ["compose_body", "parse_body"]

#: How deep values are nested at most, and how many there may be after aliases are replaced: far more than a pool needs.
MAX_DEPTH = 50
MAX_VALUES = 100_000
#: Digits of the longest number.
MAX_DIGITS = 30
_INTEGER_TAG, _FLOAT_TAG, _MERGE_TAG = (f"tag:yaml.org,2002:{name}" for name in ("int", "float", "merge"))
_REPLACED_TAGS = frozenset({_INTEGER_TAG, _FLOAT_TAG, "tag:yaml.org,2002:timestamp"})
#: As in YAML 1.1, without octal numbers and numbers to the base 60.
_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_HINT = "write one `key: value` per line, for example `vm_size: Standard_D4s_v5`"


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader with the limits and rules of this module."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node, unless it is nested too deep: the composer calls itself for each level."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _too_deep(f"line {self.peek_event().start_mark.line + 1}: ")  # type: ignore[no-untyped-call] # untyped upstream
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        """Construct a mapping whose keys are all different."""
        known = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE_TAG:
                if (key.tag, key.value) in known:
                    raise _twice(key.value, f"line {key.start_mark.line + 1}: ")
                known.add((key.tag, key.value))
        return super().construct_mapping(node, deep=deep)

    def construct_integer(self, node: yaml.ScalarNode) -> int:
        """Construct an integer; without a prefix it is decimal."""
        text = str(self.construct_scalar(node)).replace("_", "")
        _check_digits(text, f"line {node.start_mark.line + 1}: ")
        digits = text.lstrip("+-")
        value = int(digits, 0) if digits[:2] in ("0b", "0x") else int(digits)
        return -value if text.startswith("-") else value


_Loader.add_constructor(_INTEGER_TAG, _Loader.construct_integer)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in listed if tag not in _REPLACED_TAGS]
    for first, listed in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_INTEGER_TAG, re.compile(rf"(?:{_INTEGER.pattern})$"), list("-+0123456789"))
_Loader.add_implicit_resolver(_FLOAT_TAG, re.compile(rf"(?:{_FLOAT.pattern})$"), list("-+0123456789."))


def parse_body(text: str) -> Any:  # noqa: ANN401 - a mapping, or a list in JSON
    """Return the mapping in YAML text; for JSON also a list.

    Raises
    ------
    SpecError
        It is neither, a key is there twice, or a limit is exceeded.
    """
    stripped = text.lstrip("\ufeff").strip()
    if stripped.startswith(("{", "[")):
        try:
            return _parse_json(stripped)
        except ValueError:
            pass  # YAML has mappings in braces, too, with keys that are not quoted
    return _parse_yaml(text.lstrip("\ufeff"))


def compose_body(text: str) -> yaml.Node | None:
    """Return the root node of YAML text with its places in the text; None if there is no value in it.

    Raises
    ------
    yaml.YAMLError
        It is not YAML.
    SpecError
        A limit is exceeded.
    """
    loader = _Loader(text)
    try:
        node: yaml.Node | None = loader.get_single_node()
    finally:
        loader.dispose()
    if node is not None:
        _count_values(node, {})
    return node


def _parse_yaml(text: str) -> Any:  # noqa: ANN401 - as above
    try:
        node = compose_body(text)
        body = None if node is None else _Loader("").construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        raise SpecError(f"the body is not YAML: {where}{what}", hint=_HINT) from error
    return {} if body is None else body


def _count_values(node: yaml.Node, counts: dict[int, int]) -> int:
    """Return how many values a node has when its aliases are replaced by copies.

    Parameters
    ----------
    node
        The node.
    counts
        The counts of the nodes before it, by their `id`; 0: the node contains the present one.
    """
    if (known := counts.get(id(node))) is not None:
        if not known:
            raise SpecError(f"line {node.start_mark.line + 1}: the value contains itself", hint="write it out")
        return known
    counts[id(node)] = 0
    inner = list(node.value) if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        inner = [one for pair in node.value for one in pair]
    count = 1 + sum(_count_values(one, counts) for one in inner)
    if count > MAX_VALUES:
        raise SpecError(
            f"line {node.start_mark.line + 1}: there are more than {MAX_VALUES:,} values",
            hint="check that it is the right file",
        )
    counts[id(node)] = count
    return count


# -- JSON --------------------------------------------------------------------------------------------------------


def _parse_json(text: str) -> Any:  # noqa: ANN401 - JSON
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_int=_integer)
    except RecursionError:
        raise _too_deep("") from None
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for one in level for inner in _members(one)]
        if not level:
            return value
    raise _too_deep("")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _twice(key, "")
        found[key] = value
    return found


def _integer(text: str) -> int:
    _check_digits(text, "")
    return int(text)


def _members(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


# -- errors ------------------------------------------------------------------------------------------------------


def _check_digits(text: str, where: str) -> None:
    if len(text) > MAX_DIGITS:
        raise SpecError(f"{where}the number has {len(text):,} digits", hint=f"at most {MAX_DIGITS} are possible")


def _too_deep(where: str) -> SpecError:
    return SpecError(f"{where}values are nested more than {MAX_DEPTH} levels deep", hint=_HINT)


def _twice(key: str, where: str) -> SpecError:
    return SpecError(f"{where}{key!r} is there twice", hint="write each key once")

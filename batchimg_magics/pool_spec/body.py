"""Parse the body of a cell or the content of a file: YAML, or JSON, which Azure's tools write."""

from __future__ import annotations

import json
from typing import Any

import yaml

from batchimg_magics.errors import SpecError

__all__ = ["parse_body"]


def parse_body(text: str) -> Any:  # noqa: ANN401 - a mapping, or a list in JSON
    """Return the mapping in YAML text; for JSON also a list.

    Raises
    ------
    SpecError
        It is neither.
    """
    stripped = text.lstrip("\ufeff").strip()
    if stripped.startswith(("{", "[")):
        try:
            return json.loads(stripped)
        except ValueError:
            pass  # YAML has mappings in braces, too, with keys that are not quoted
    return _parse_yaml(text.lstrip("\ufeff"))


def _parse_yaml(text: str) -> Any:  # noqa: ANN401 - as above
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise SpecError(
            f"the body is not YAML: {where}{getattr(error, 'problem', None) or error}",
            hint="write one `key: value` per line, for example `vm_size: Standard_D4s_v5`",
        ) from error
    return {} if body is None else body

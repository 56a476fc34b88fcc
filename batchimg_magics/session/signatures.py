"""From the entry of a verb to a method: its signature, its docstring and its call."""

from __future__ import annotations

import collections.abc
import datetime as dt
import inspect
import re
import textwrap
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, Protocol

from batchimg_magics.errors import BatchImgError, SpecError
from batchimg_magics.session.python_words import in_python_words
from batchimg_magics.verbs import renamed
from batchimg_magics.verbs.verb import NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

    from batchimg_magics.verbs.verb import Option, Verb

__all__ = ["Parameter", "build_method", "docstring", "parameters"]

#: Fields of `PoolSpec` that no option sets, since each has several fields of its own.
_NESTED_FIELDS = {
    "mounts": "File systems to mount on each node, as in the YAML of a pool",
    "container_registries": "Registries to pull container images from, as in the YAML of a pool",
    "user_accounts": "Accounts to create on each node, as in the YAML of a pool",
    "extensions": "VM extensions of each node, as in the YAML of a pool",
    "ip_tags": "IP tags of the public addresses, as in the YAML of a pool",
    "ip_families": "IP versions of the public addresses, as in the YAML of a pool",
    "automatic_updates": "Automatic updates of Windows, as in the YAML of a pool",
    "container_type": "Container technology, as in the YAML of a pool",
}


class _Pandas:
    """pandas, imported when the type of a frame is read."""

    @property
    def DataFrame(self) -> type:  # noqa: N802 - as in pandas
        from pandas import DataFrame

        return DataFrame


# The names in the types of parameters: `typing.get_type_hints` looks for them in this module.
globals().update(
    Mapping=collections.abc.Mapping, Sequence=collections.abc.Sequence, Literal=Literal, dt=dt, pd=_Pandas()
)


class Frames(Protocol):
    """What a method needs of its session."""

    def _frame(self, verb: str, /, **options: Any) -> pd.DataFrame: ...

    def _python_error(self, error: BatchImgError, verb: str) -> BatchImgError: ...


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a method.

    Parameters
    ----------
    name, annotation, doc
        Its name, its type as text, and its description.
    default
        Its default; `inspect.Parameter.empty` where it is required.
    positional
        Whether it can be given by position.
    """

    name: str
    annotation: str
    doc: str
    default: Any = None
    positional: bool = False


def parameters(verb: Verb, *, of_pool: bool = False) -> list[Parameter]:
    """Return the parameters of the method of a verb: its options, and the fields of `PoolSpec` that have no option.

    Parameters
    ----------
    verb
        The verb.
    of_pool
        Whether it is the method of a pool, which needs no name.
    """
    by_name: dict[str, list[Option]] = {}
    for option in verb.options:
        if of_pool and option.is_positional and option.keyword == NAME.keyword:
            continue
        by_name.setdefault(option.keyword, []).append(option)
    found = [_parameter(name, options) for name, options in by_name.items()]
    if verb.takes_body:
        found += [Parameter(name, "Sequence[Mapping[str, Any]] | None", text) for name, text in _NESTED_FIELDS.items()]
    return found


def _parameter(name: str, options: list[Option]) -> Parameter:
    first = options[0]
    if values := _allowed_values(first):
        return Parameter(name, f"{_annotation(first)} | None", f"{_plain(first.help)}. One of: {', '.join(values)}")
    if first.is_positional:
        annotation = _annotation(first)
        if first.optional or first.told_by:
            return Parameter(name, f"{annotation} | None", first.help, None, positional=True)
        return Parameter(name, annotation, first.help, inspect.Parameter.empty, positional=True)
    if first.metavar:
        return Parameter(name, f"{_annotation(first)} | None", _plain(first.help))
    texts = [_plain(one.help) if one.const else f"False: {_plain(one.help)}" for one in options]
    if len(options) > 1:
        return Parameter(name, "bool | None", ". ".join(texts))
    return Parameter(name, "bool", texts[0], not first.const)


def _allowed_values(option: Option) -> tuple[str, ...]:
    """Return the allowed values of an option whose type does not name them."""
    if option.describe is not None:
        return tuple(option.describe())
    return option.choices if option.annotation and not option.is_positional else ()


def _annotation(option: Option) -> str:
    if option.annotation:
        return option.annotation
    if option.choices:
        words = ", ".join(f'"{word}"' for word in option.choices)
        value = f"Literal[{words}]"
    elif option.metavar in ("DURATION", "SHARE"):
        value = "str | float"
    elif option.parse is str:
        value = "str"
    else:
        value = str(option.parse.__annotations__["return"])
    if option.combine is dict:
        return f"Mapping{value.removeprefix('tuple')}"
    if option.combine is tuple:
        return f"Sequence[{value}]"
    return f"{value} | Sequence[{value}]" if option.combine else value


def _plain(text: str) -> str:
    """Return a help text with keywords in place of options, and calls in place of commands."""
    text = re.sub(r"`[a-z-]+ [^`]*--[^`]*`", lambda match: in_python_words(match[0]), text)
    return re.sub(r"--([a-z][a-z-]*[a-z])", lambda match: f"`{match[1].replace('-', '_')}`", text)


def signature(found: Iterable[Parameter]) -> inspect.Signature:
    """Return the signature of a method."""
    kinds = {True: inspect.Parameter.POSITIONAL_OR_KEYWORD, False: inspect.Parameter.KEYWORD_ONLY}
    given = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    given += [
        inspect.Parameter(one.name, kinds[one.positional], default=one.default, annotation=one.annotation)
        for one in sorted(found, key=lambda one: not one.positional)
    ]
    return inspect.Signature(given, return_annotation="pd.DataFrame")


def docstring(verb: Verb, *, of_pool: bool = False) -> str:
    """Return the docstring of a method, in numpydoc style; `of_pool` is that of `parameters`."""
    parts = [f"{_plain(verb.summary)}.", ""]
    if found := parameters(verb, of_pool=of_pool):
        parts += _section("Parameters", [(f"{one.name} : {one.annotation}", f"{one.doc}.") for one in found])
    returns = _plain(verb.returns) or "One row."
    parts += _section("Returns", [("pandas.DataFrame", f"{returns} docs/reference.md lists the columns.")])
    parts += _section("Raises", [(kind, _plain(why)) for kind, why in verb.raises])
    return "\n".join(parts).rstrip()


def _section(title: str, entries: list[tuple[str, str]]) -> list[str]:
    if not entries:
        return []
    wrapped = [(head, textwrap.fill(text, 104, break_on_hyphens=False)) for head, text in entries]
    return [
        title,
        "-" * len(title),
        *(line for head, text in wrapped for line in (head, textwrap.indent(text, "    "))),
        "",
    ]


def build_method(verb: Verb, *, of_pool: bool = False) -> Callable[..., pd.DataFrame]:
    """Return the method of a verb; `of_pool` is that of `parameters`."""
    found = parameters(verb, of_pool=of_pool)
    known, positional = {one.name for one in found}, [one.name for one in found if one.positional]

    def method(self: Frames, *args: Any, **options: Any) -> pd.DataFrame:
        if len(args) > len(positional):
            raise TypeError(f"{verb.method}() takes {len(positional)} positional arguments, {len(args)} were given")
        given = dict(zip(positional, args, strict=False)) | options
        for name in options.keys() - known:
            if renamed.KEYWORDS.get(name) in known:
                raise SpecError(f"{verb.method}: {name} was renamed to {renamed.KEYWORDS[name]}")
            if not verb.takes_body:  # otherwise the fields of a pool are checked, and the nearest one is named
                near = get_close_matches(name, known, 1)
                text = f"{verb.method}() got an unexpected keyword argument {name!r}"
                raise TypeError(f"{text}. Did you mean {near[0]!r}?" if near else text)
        for one in found:
            if one.default is inspect.Parameter.empty and one.name not in given:
                raise TypeError(f"{verb.method}() missing a required argument: {one.name!r}")
        # None is the same as not given, for every option.
        try:
            frame: pd.DataFrame = self._frame(
                verb.name, **{key: value for key, value in given.items() if value is not None}
            )
        except BatchImgError as error:
            raise self._python_error(error, verb.name) from None
        return frame

    method.__name__ = method.__qualname__ = verb.method
    method.__doc__ = docstring(verb, of_pool=of_pool)
    method.__annotations__ = {one.name: one.annotation for one in found} | {"return": "pd.DataFrame"}
    method.__signature__ = signature(found)  # type: ignore[attr-defined] # inspect reads it
    return method

"""Requests that grow out of Microsoft's descriptions: parameters and bodies by their schemas, and now and then not."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.support.openapi import Schema

if TYPE_CHECKING:
    from tests.support.openapi import Exchange, Operation

#: How many objects stand in one another below the top of a body.
DEPTH = 5
#: How many members that need not be there an object has at most.
OPTIONAL = 4
#: Seconds that nobody asks anything after a request.
WAITS_S = [0, 0, 1, 20, 600, 7200]
RARELY = st.integers(0, 15).map(lambda number: number == 15)
ODD_NAMES = st.sampled_from(["none", "..", "a b", "é", "x" * 300, "$", "1.0.1", "NEW"]) | st.text(
    min_size=1, max_size=6
)
#: Others than those of the descriptions.
VERSIONS = {
    "batch": ["2019-08-01.10.0", "2022-10-01.16.0", "2024-07-01.20.0", "2025-06-01", "1.0", ""],
    "arm": ["2015-12-01", "2019-08-01", "2021-07-01", "2025-06-01", "2026-04-01", "2024-01-01-preview", "soon"],
}
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=4,
)
FREE = st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2)
FORMATS = {
    "duration": st.sampled_from(["PT5M", "PT0S", "P1D", "PT30S", "P10675199DT2H48M5.4775807S", "-PT1H", "soon"]),
    "date-time": st.sampled_from(["2026-07-01T09:00:00Z", "0001-01-01T00:00:00", "9999-12-31T23:59:59.9999999Z", "x"]),
    "date-time-rfc1123": st.sampled_from(["Wed, 01 Jul 2026 09:00:00 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "never"]),
}


@dataclass(frozen=True)
class Request:
    """A request, and how long nobody asks anything after it."""

    operation: Operation
    asked: Exchange
    headers: dict[str, str] = field(default_factory=dict)
    wait_s: int = 0


@dataclass(frozen=True)
class Session:
    """Requests in a row, and whether each is as its operation is described."""

    requests: list[Request]
    described: bool


@dataclass(frozen=True, eq=False)
class Grammar:
    """What requests are made of beside the descriptions.

    Parameters
    ----------
    table
        Good requests, which most others are grafted on.
    words
        Member of a body, or parameter -> values that exist in the emulator.
    wild
        Whether now and then something is not as described: of another type, not there, no body at all.
    """

    table: dict[Operation, list[Exchange]]
    words: dict[str, list[Any]]
    wild: bool


@functools.cache
def values(grammar: Grammar, schema: Schema, name: str = "", depth: int = DEPTH) -> st.SearchStrategy[Any]:
    """Return what a schema takes, an existing value if its name has some, and rarely anything else."""
    typed = _typed(grammar, schema.resolved, depth)
    good = st.sampled_from(grammar.words[name]) | typed if name in grammar.words else typed
    return RARELY.flatmap(lambda rarely: ANYTHING if rarely else good) if grammar.wild else good


def _typed(grammar: Grammar, schema: Schema, depth: int) -> st.SearchStrategy[Any]:
    said = schema.description
    if "enum" in said:
        return st.sampled_from(said["enum"])
    if schema.members:
        return objects(grammar, schema, depth)
    if said.get("type") == "array":
        return st.lists(values(grammar, schema.items, "", depth - 1), max_size=2) if depth > 0 else st.just([])
    if "additionalProperties" in said:
        inner = Schema(schema.file, said["additionalProperties"])
        return st.dictionaries(st.text(max_size=4), values(grammar, inner, "", depth - 1), max_size=2)
    plain: dict[str, st.SearchStrategy[Any]] = {
        "boolean": st.booleans(),
        "integer": st.integers(said.get("minimum", -1), said.get("maximum", 100)) | st.just(said.get("minimum", 2**33)),
        "number": st.floats(0, 1e6),
        "string": FORMATS.get(said.get("format", ""), st.text(max_size=8)),
    }
    return plain.get(said.get("type", ""), FREE)


@st.composite
def objects(draw: st.DrawFn, grammar: Grammar, schema: Schema, depth: int) -> dict[str, Any]:
    """Draw an object with what it must have, and some of what it may have."""
    needed = [name for name in schema.members if name in schema.required or name == "properties"]
    others = sorted(schema.members.keys() - set(needed))
    chosen = draw(st.lists(st.sampled_from(others), max_size=OPTIONAL, unique=True)) if others and depth > 0 else []
    if grammar.wild and needed and draw(RARELY):
        needed.pop()
    return {name: draw(values(grammar, schema.members[name], name, depth - 1)) for name in [*needed, *chosen]}


def graft(good: Any, grown: Any) -> Any:
    """Return a good body with what has grown in the place of what it has."""
    if not isinstance(good, dict) or not isinstance(grown, dict):
        return grown
    return good | {name: graft(good.get(name), one) for name, one in grown.items()}


@st.composite
def bodies(draw: st.DrawFn, grammar: Grammar, operation: Operation, good: Any) -> Any:
    """Draw a body: as good, grafted, grown alone, or none where none is needed; good where the operation has none."""
    if operation.body is None:
        return good
    may_lack = [] if operation.named("body").popitem()[1].description.get("required") and not grammar.wild else ["none"]
    kind = draw(st.sampled_from(["graft", "graft", "graft", "grown", "grown", "good", *may_lack]))
    if kind in ("good", "none"):
        return good if kind == "good" else None
    grown = draw(values(grammar, operation.body))
    return graft(good, grown) if kind == "graft" else grown


@st.composite
def parameters(draw: st.DrawFn, grammar: Grammar, operation: Operation, place: str) -> dict[str, str]:
    """Draw some of the parameters in a query or in headers, as text."""
    known = {name: one for name, one in operation.named(place).items() if name != "api-version"}
    if not known:
        return {}
    chosen = draw(st.lists(st.sampled_from(sorted(known)), max_size=2, unique=True))
    drawn = {name: draw(values(grammar, known[name], name, 0)) for name in chosen}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in drawn.items()}


@st.composite
def requests(draw: st.DrawFn, grammar: Grammar) -> Request:
    """Draw a request of any operation of the table."""
    speaking = [one for one in grammar.table if one.body is not None]
    operation = draw(st.sampled_from(speaking) | st.sampled_from(list(grammar.table)))
    good = draw(st.sampled_from(grammar.table[operation]))
    names = dict(good.names)
    if operation.named("path") and draw(RARELY):
        names |= {draw(st.sampled_from(sorted(operation.named("path")))): draw(ODD_NAMES)}
    query = good.query | draw(parameters(grammar, operation, "query"))
    if grammar.wild and draw(RARELY):
        query |= {"api-version": draw(st.sampled_from(VERSIONS[operation.plane]))}
    asked = dataclasses.replace(good, names=names, query=query, body=draw(bodies(grammar, operation, good.body)))
    return Request(operation, asked, draw(parameters(grammar, operation, "header")), draw(st.sampled_from(WAITS_S)))


@st.composite
def sessions(draw: st.DrawFn, tame: Grammar, wild: Grammar, most: int) -> Session:
    """Draw a few requests in a row, all of them as described, or some of them wild."""
    grammar = draw(st.sampled_from([tame, wild]))
    return Session(draw(st.lists(requests(grammar), min_size=1, max_size=most)), described=not grammar.wild)

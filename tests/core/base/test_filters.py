"""Conditions on columns: they select the rows that pandas selects, and run no code."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchimg_magics.core.base.columns import Column
from batchimg_magics.core.base.filters import MAX_LENGTH, parse
from batchimg_magics.core.base.schemas import SCHEMAS
from batchimg_magics.core.base.table import Table, TimeColumn
from batchimg_magics.errors import SpecError
from batchimg_magics.session.frames import to_frame

SCHEMA = (
    Column("node", "text", ""),
    Column("count", "int", ""),
    Column("share", "float", ""),
    Column("ready", "bool", ""),
    Column("since", "time", ""),
)
WORDS, NUMBERS = ["a", "b", "c"], [0, 1, 2]
DAY = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
OPERATORS = ["==", "!=", "<", "<=", ">", ">="]

comparisons = st.one_of(
    st.builds("node {} '{}'".format, st.sampled_from(OPERATORS), st.sampled_from(WORDS)),
    st.builds("count {} {}".format, st.sampled_from(OPERATORS), st.sampled_from(NUMBERS)),
    st.builds("{} {} share".format, st.sampled_from(NUMBERS), st.sampled_from(OPERATORS)),
    st.builds("node {} {}".format, st.sampled_from(["in", "not in"]), st.lists(st.sampled_from(WORDS), min_size=1)),
    st.builds("{} <= count < {}".format, st.sampled_from(NUMBERS), st.sampled_from(NUMBERS)),
    st.just("ready"),
    st.just("ready == False"),
)
conditions = st.recursive(
    comparisons,
    lambda parts: st.one_of(
        st.builds("({} and {})".format, parts, parts),
        st.builds("({} or {})".format, parts, parts),
        st.builds("not ({})".format, parts),
    ),
    max_leaves=5,
)
rows = st.lists(
    st.tuples(*map(st.sampled_from, (WORDS, NUMBERS, [0.0, 1.5, 2.0], [True, False]))), min_size=1, max_size=8
)


def found(condition: str, columns: dict[str, Any]) -> list[bool | None]:
    return parse(condition, SCHEMA)(columns)


@given(conditions, rows)
def test_it_finds_the_rows_that_pandas_finds(condition: str, made: list[tuple[Any, ...]]) -> None:
    columns = {column.name: list(values) for column, values in zip(SCHEMA, zip(*made, strict=True), strict=False)}
    # Times are not compared: pandas takes those in quotes for times without a zone, which ours never are.
    expected = pd.DataFrame(columns).query(condition, engine="python").index
    assert [place for place, fits in enumerate(found(condition, columns)) if fits] == list(expected)


def test_a_missing_value_fits_no_comparison() -> None:
    columns = {"node": [None, "a"], "count": [None, 1], "ready": [None, True], "since": [None, DAY]}
    for condition in ("node == 'a'", "count >= 0", "ready", "since > '2026-01-01'", "node in ['a', 'b']"):
        assert found(condition, columns) == [None, True]
        assert found(f"not ({condition})", columns) == [None, False]
    assert found("node != 'b'", columns) == [None, True]
    assert found("count == None", columns) == [True, False]
    assert found("count != None", columns) == [False, True]
    assert found("ready or node == None", columns) == [True, True]
    assert found("ready and node != None", columns) == [False, True]


def test_times_as_the_service_writes_them() -> None:
    columns = {"since": TimeColumn(["2026-07-01T09:06:27.0000606Z", None])}
    assert found("since > '2026-07-01T09:06'", columns) == [True, None]
    assert found("since > '2026-07-01T12:00:00+02:00'", columns) == [False, None]


@pytest.mark.parametrize(
    "condition",
    [
        "", "node", "node = 'a'", "node == 1", "count == '1'", "count == True", "ready == 1", "since == 5",
        "since == 'soon'", "node is None", "node < None", "1 == 1", "node == ready", "node in 'abc'", "count + 1 == 2",
        "node.upper() == 'A'", "__import__('os').system('true')", "[x for x in (1,)]", "lambda: 1", "open('x')",
        "node == f'{1}'", "(" * 300, "not " * 240 + "ready and", "count == 1 # " + "x" * MAX_LENGTH, "\0",
    ],
)  # fmt: skip
def test_what_is_no_condition_is_refused(condition: str) -> None:
    with pytest.raises(SpecError):
        parse(condition, SCHEMA)


@given(st.text(max_size=30))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        test = parse(text, SCHEMA)
    except SpecError:
        return
    assert len(test({column.name: [None] for column in SCHEMA})) == 1


def test_an_unknown_column_gets_the_nearest_name() -> None:
    with pytest.raises(SpecError) as refused:
        parse("cuont > 1", SCHEMA)
    assert refused.value.hint == "did you mean count?"


def test_the_same_condition_on_the_dataframe() -> None:
    rows = [{"node_id": "a", "state": "idle", "running_tasks": 0}, {"node_id": "b", "state": "running"}]
    table = Table.from_rows("nodes", rows)
    condition = "state == 'idle' and running_tasks == 0"
    assert parse(condition, SCHEMAS["nodes"])(table.columns) == [True, False]
    assert list(to_frame(table).query(condition).node_id) == ["a"]

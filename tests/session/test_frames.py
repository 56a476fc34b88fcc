"""From plain columns to DataFrames; the dtypes depend only on the verb."""

from __future__ import annotations

import datetime as dt
import io
import json
import pickle
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchimg_magics.core.base.schemas import SCHEMAS
from batchimg_magics.core.base.table import Table, TimeColumn
from batchimg_magics.session.frames import DTYPES, to_frame

if TYPE_CHECKING:
    from batchimg_magics.core.base.columns import Column

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(max_size=5),
    "int": st.integers(0, 2**40),
    "float": st.floats(0, 1e9),
    "bool": st.booleans(),
    "time": st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001 - hypothesis adds it
}


def values(column: Column) -> st.SearchStrategy[Any]:
    known = VALUES.get(column.kind, st.sampled_from([*column.allowed_values, "a word that nobody foresaw"]))
    return st.none() | known


@st.composite
def tables(draw: st.DrawFn) -> Table:
    verb = draw(st.sampled_from(sorted(SCHEMAS)))
    row = st.fixed_dictionaries({column.name: values(column) for column in SCHEMAS[verb]})
    return Table.from_rows(verb, draw(st.lists(row, max_size=3)), draw(st.text(max_size=5)))


@given(tables())
def test_dtypes_and_values_whatever_the_rows(table: Table) -> None:
    made = to_frame(table)
    assert [str(dtype) for dtype in made.dtypes] == [DTYPES[column.kind] for column in table.schema]
    assert len(made) == len(table.rows())
    for name, column in table.columns.items():
        back = [None if pd.isna(value) else value for value in made[name].tolist()]
        assert back == list(column)
    assert json.loads(json.dumps(made.attrs)) == made.attrs


def test_the_services_words_come_first_and_unseen_ones_after() -> None:
    states = ["unheard-of", "idle", None, "unheard-of"]
    made = to_frame(Table.from_rows("nodes", [{"state": state} for state in states]))
    words = next(column.allowed_values for column in SCHEMAS["nodes"] if column.name == "state")
    assert list(made.state.cat.categories) == [*words, "unheard-of"]
    assert made.state.isna().tolist() == [False, False, True, False]


def test_attrs_describe_what_happened() -> None:
    made = to_frame(Table.from_rows("pools", [], "no pools", source="a test"))
    assert made.attrs == {"verb": "pools", "caption": "no pools", "source": "a test"}


@pytest.mark.parametrize("verb", sorted(SCHEMAS))
def test_a_frame_is_a_plain_one(verb: str) -> None:
    made = to_frame(Table.from_rows(verb, [{}]))
    assert type(made) is pd.DataFrame
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(made)), made)  # noqa: S301 - its own


@given(tables())
def test_parquet_and_back(table: Table) -> None:
    made = to_frame(table)
    file = io.BytesIO()
    made.to_parquet(file)
    file.seek(0)
    back = pd.read_parquet(file)
    assert back.attrs == made.attrs
    if len(made):
        pd.testing.assert_frame_equal(back, made)
    else:  # a file without rows keeps no words
        assert [str(dtype) for dtype in back.dtypes] == [str(dtype) for dtype in made.dtypes]


def test_times_as_the_service_writes_them() -> None:
    texts = ["2026-07-01T09:06:27.0000606Z", "2026-07-01T09:06:27Z", None, "1969-12-31T23:59:59.5Z"]
    for more in ([], ["2026-07-01T11:06:27.25+02:00"]):
        moments = TimeColumn(texts + more)
        table = Table.from_rows("nodes", [{}] * len(moments))
        table.columns["state_since"] = moments
        made = to_frame(table)
        assert str(made.state_since.dtype) == "datetime64[us, UTC]"
        assert [None if pd.isna(value) else value for value in made.state_since.tolist()] == list(moments)
        below = TimeColumn.concatenated([moments, TimeColumn([]), TimeColumn(texts[:1]), TimeColumn([None])])
        assert list(below) == [*moments, moments[0], None]
        assert len(below) == len(list(below))
        table = Table.from_rows("nodes", [{}] * len(below))
        table.columns["state_since"] = below
        assert [None if pd.isna(value) else value for value in to_frame(table).state_since.tolist()] == list(below)
    assert moments[4] == dt.datetime(2026, 7, 1, 9, 6, 27, 250_000, tzinfo=dt.UTC)
    assert list(moments[1:3]) == [moments[1], None]

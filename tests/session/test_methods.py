"""The methods of `Session` are built from the verbs: signature, docstring and call."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, get_type_hints

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter

from batchimg_magics.pool_spec.pool import PoolSpec
from batchimg_magics.session.session import Session
from batchimg_magics.session.signatures import parameters
from batchimg_magics.verbs.registry import SESSION_VERBS, load_verb
from tests.support.shells import ipython

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as session:
        session.connect(state=":memory:", speed="max")
        yield session


@pytest.mark.parametrize("name", SESSION_VERBS)
def test_a_signature_names_every_option(name: str) -> None:
    verb = load_verb(name)
    method = getattr(Session, verb.method)
    found = inspect.signature(method).parameters
    assert {option.keyword for option in verb.options} <= set(found)
    places = {"self", *(option.keyword for option in verb.options if option.is_positional)}
    assert {one.name for one in found.values() if one.kind is not one.KEYWORD_ONLY} <= places
    assert method.__name__ == verb.method
    assert all(f"\n{one.name} : {one.annotation}\n" in str(method.__doc__) for one in parameters(verb))
    if verb.start is not None:
        taken = inspect.signature(verb.start).parameters
        catches = any(one.kind is one.VAR_KEYWORD for one in taken.values())
        assert catches or set(taken) - {"connection"} == set(found) - {"self", "wait"}


@pytest.mark.parametrize("name", ["create", "plan"])
def test_every_field_of_a_pool_is_a_parameter(name: str) -> None:
    assert PoolSpec.model_fields.keys() <= {one.name for one in parameters(load_verb(name))}


def test_types_are_those_of_python() -> None:
    found = inspect.signature(Session.create).parameters
    shown = {
        name: found[name].annotation for name in ("name", "from_vm", "nodes", "until", "replicas", "canary", "ttl")
    }
    assert shown == {
        "name": "str | None",
        "from_vm": "str | None",
        "nodes": "int | None",
        "until": 'Literal["ready", "steady"] | None',
        "replicas": "Mapping[str, int] | None",
        "canary": "bool | None",
        "ttl": "str | float | None",
    }
    assert (found["repair"].default, found["wait"].default) == (False, True)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda s: s.nodes(), r"nodes\(\) missing a required argument: 'name'"),
        (lambda s: s.pools("p"), r"pools\(\) takes 0 positional arguments, 1 were given"),
        (lambda s: s.vms(nonsense=1), "got an unexpected keyword argument 'nonsense'$"),
        (lambda s: s.resize("p", node=1), "Did you mean 'nodes'"),
        (lambda s: s.pool("p").resize("p"), r"resize\(\) takes 0 positional arguments, 1 were given"),
    ],
)
def test_a_wrong_call_is_a_type_error(session: Session, call: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        call(session)


def test_none_is_not_given(session: Session) -> None:
    assert len(session.history(None)) == 0
    assert session.estimate(None, tasks=10, minutes=1, deadline="2h", budget=None, kind=None).nodes.notna().any()


@pytest.mark.parametrize("name", SESSION_VERBS)
def test_types_can_be_read_at_run_time(name: str) -> None:
    hints = get_type_hints(getattr(Session, load_verb(name).method))
    assert hints.pop("return") is pd.DataFrame
    assert set(hints) == {one.name for one in parameters(load_verb(name))}


def test_a_docstring_names_the_allowed_values() -> None:
    assert "One of: calm, " in " ".join(str(Session.connect.__doc__).split())
    assert re.search(r"One of: [a-z, ]*unusable", " ".join(str(Session.nodes.__doc__).split()))
    for name in SESSION_VERBS:
        assert not re.search(r"--[a-z]|`[a-z]+ `", str(getattr(Session, load_verb(name).method).__doc__)), name


def test_ipython_completes_methods_and_keywords(session: Session) -> None:
    with ipython() as shell:
        shell.user_ns["session"] = session
        assert shell.Completer is not None
        for uses_jedi in (False, True):
            shell.Completer.use_jedi = uses_jedi
            for text, wanted in {
                "session.creat": "create",
                "session.create(": "from_vm=",
                "session.create('x', from_": "from_vm=",
                "session.pool('x').resize(": "nodes=",
            }.items():
                if "pool('x')" in text and not uses_jedi:
                    continue  # without jedi, IPython completes names only
                with provisionalcompleter():
                    found = {one.text.lstrip(".") for one in shell.Completer.completions(text, len(text))}
                assert wanted in found, (uses_jedi, text)
        assert "from_vm" in shell.object_inspect_text("session.create")
        shell.Completer.use_jedi = False

"""Every request to Microsoft.Batch gets a response in Azure's format; the app raises no exception."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchimg_magics.emulator import app
from batchimg_magics.emulator.batch.autoscale import formulas
from batchimg_magics.emulator.batch.rest import bodies
from batchimg_magics.emulator.furnish import ACCOUNT, GROUP, SUBSCRIPTION
from batchimg_magics.emulator.http.messages import Route
from tests.support.batch_emulator import MACHINE, NOW, BatchEmulator

if TYPE_CHECKING:
    from batchimg_magics.emulator.http.messages import Route

NAMED = {"account": ACCOUNT, "subscription": SUBSCRIPTION, "group": GROUP, "pool": "p", "job": "j", "task": "t"}
WORDS = sorted(
    set().union(*(value for value in vars(bodies).values() if isinstance(value, frozenset))) | set(bodies.NUMBERS)
)


def routes() -> list[Route]:
    return [route for table in app.provider_routes(("batch.routes",)) for route in table.table]


LEAVES = (
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8)
    | st.sampled_from(["PT5M", "Standard_D2s_v3", "batch.node.ubuntu 22.04", "p", "$TargetDedicatedNodes=1;", "1"])
)  # fmt: skip
BODIES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
FORMULA = """
    $TargetDedicatedNodes = ; ( ) + - * / ? : && || ! == < $PendingTasks .GetSample(1) time() TimeInterval_Hour 3 0 avg
    min max , . "x" $a requeue .hour //
"""
POOL = {"id": "q", "vmSize": "Standard_D2s_v3", "virtualMachineConfiguration": MACHINE, "targetDedicatedNodes": 1}
QUERIES = st.dictionaries(
    st.sampled_from(["$filter", "$select", "maxresults", "$skiptoken"]), st.text("abc'()=/ 19-", max_size=12)
)


@pytest.fixture(scope="module")
def azure() -> BatchEmulator:
    made = BatchEmulator()
    made.create_pool(dedicated=1)
    made.wait_until_steady()
    made.clock.advance(300)
    made.batch("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "p"}})
    made.batch("POST", "/jobs/j/tasks", {"id": "t", "commandLine": "sleep 10000"})
    return made


def ask(azure: BatchEmulator, route: Route, body: Any, query: dict[str, str]) -> None:
    names = NAMED | {"node": azure.nodes()[0]["id"] if azure.batch("HEAD", "/pools/p").status == 200 else "none"}
    path = route.path
    for part in path.split("/"):
        if part.startswith("{"):
            path = path.replace(part, names.get(part[1:-1], "x"))
    text = "&".join(f"{name}={value.replace(' ', '%20')}" for name, value in query.items())
    send = azure.arm if route.plane == "arm" else azure.batch
    answer = send(route.method, f"{path}?{text}" if text else path, body, version=route.until or NOW)
    assert answer.status < 500 or answer.code == "TooManyEnableAutoScaleRequests", answer


@pytest.mark.parametrize("route", routes(), ids=lambda route: f"{route.method} {route.path[-40:]}")
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(body=BODIES, query=QUERIES)
def test_any_body_and_any_query_is_answered(
    azure: BatchEmulator, route: Route, body: Any, query: dict[str, str]
) -> None:
    ask(azure, route, body, query)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(sorted(POOL)), value=BODIES, more=st.dictionaries(st.sampled_from(WORDS), BODIES, max_size=3)
)
def test_a_pool_with_anything_in_it_is_taken_or_refused(name: str, value: Any, more: dict[str, Any]) -> None:
    azure = BatchEmulator()
    for body in (POOL | {name: value}, POOL | more):
        answer = azure.batch("POST", "/pools", body)
        assert answer.status in (201, 400, 403, 409)
        if answer.status == 201:
            shown = azure.batch("GET", f"/pools/{body['id']}")
            assert shown.status == 200
            assert azure.arm("GET", f"/pools/{body['id']}").status == 200
            azure.batch("DELETE", f"/pools/{body['id']}")
            azure.clock.advance(500)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.lists(
        st.sampled_from([*FORMULA.split(), "\n"]),
        max_size=14,
    )
)
def test_any_formula_is_read_or_refused(parts: list[str]) -> None:
    formula = " ".join(parts)
    assert isinstance(formulas.check(formula), str)
    azure = BatchEmulator()
    azure.create_pool(
        enableAutoScale=True,
        autoScaleFormula="$TargetDedicatedNodes=1",
        targetDedicatedNodes=None,
        targetLowPriorityNodes=None,
    )
    answer = azure.batch("POST", "/pools/p/evaluateautoscale", {"autoScaleFormula": formula})
    assert answer.status == 200

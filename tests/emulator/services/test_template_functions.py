"""Functions of the template language, each by an output of a deployment."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.furnish import SUBSCRIPTION
from batchimg_magics.emulator.services.templates import work
from tests.support.compute_emulator import ComputeEmulator
from tests.support.templates import ONE, SCOPE, VERSION, deploy, template

VARIABLES = {
    "list": ["a", "b", "c"],
    "numbers": [3, 1, 2],
    "object": {"One": 1, "two": {"three": [1, 2]}},
    "escaped": "[[not an expression]",
    **{
        f"twice{number}": f"[concat({f'variables(`twice{number + 1}`),' * 9}'')]".replace("`", "'")
        for number in range(40)
    },
    "twice40": "a",
    **{f"chain{number}": f"[variables('chain{number + 1}')]" for number in range(150)},
    "chain150": "a",
}
NET = "Microsoft.Network/virtualNetworks"
CASES: list[tuple[str, Any]] = [
    ("union(createArray(1, 1, true()), createArray(1))", [1, True]),
    ("'it''s'", "it's"),
    ("concat('a', 'b', 1)", "ab1"),
    ("concat(variables('list'), createArray('d'))", ["a", "b", "c", "d"]),
    ("variables('list')[1]", "b"),
    ("variables('object').two.three[1]", 2),
    ("variables('object').ONE", 1),
    ("variables('object').?none", None),
    ("tryGet(variables('object'), 'two', 'three', 0)", 1),
    ("variables('escaped')", "[not an expression]"),
    ("div(9007199254740993, -1)", -9007199254740993),
    ("if(equals(1, 1), 'yes', variables('none'))", "yes"),
    ("and(true(), not(false()), or(false(), bool('true')))", True),
    ("equals('a', 'A')", False),
    ("coalesce(null(), 'x')", "x"),
    ("greaterOrEquals(2, 2)", True),
    ("less('a', 'b')", True),
    ("add(mul(3, 4), sub(div(7, 2), mod(-7, 3)))", 16),
    ("min(variables('numbers'))", 1),
    ("max(1, 5, 2)", 5),
    ("int('42')", 42),
    ("string(createObject('a', 1))", '{"a":1}'),
    ("json('{\"a\": [1]}').a[0]", 1),
    ("format('{0}-{1:D3}-{2,4}|{{}}', 'x', 7, 'y')", "x-007-   y|{}"),
    ("toUpper(replace('abc', 'b', 'x'))", "AXC"),
    ("split('a;b,c', createArray(';', ','))", ["a", "b", "c"]),
    ("join(variables('list'), '+')", "a+b+c"),
    ("substring('abcdef', 2, 3)", "cde"),
    ("padLeft(7, 3, '0')", "007"),
    ("startsWith('Abc', 'aB')", True),
    ("indexOf('abcb', 'B')", 1),
    ("lastIndexOf(variables('list'), 'c')", 2),
    ("base64ToString(base64('hi'))", "hi"),
    ("uriComponentToString(uriComponent('a b'))", "a b"),
    ("uri('https://a.invalid/b', 'c')", "https://a.invalid/b/c"),
    ("length(variables('object'))", 2),
    ("contains(variables('object'), 'TWO')", True),
    ("empty('')", True),
    ("first('abc')", "a"),
    ("last(variables('list'))", "c"),
    ("take(skip(range(5, 4), 1), 2)", [6, 7]),
    ("union(createObject('a', 1), createObject('b', 2))", {"a": 1, "b": 2}),
    ("intersection(variables('list'), createArray('c', 'a'))", ["a", "c"]),
    ("items(createObject('b', 2, 'a', 1))[0].key", "a"),
    ("objectKeys(variables('object'))", ["One", "two"]),
    ("flatten(createArray(createArray(1), createArray(2)))", [1, 2]),
    ("map(variables('numbers'), lambda('x', mul(lambdaVariables('x'), 2)))", [6, 2, 4]),
    ("filter(variables('numbers'), lambda('x', greater(lambdaVariables('x'), 1)))", [3, 2]),
    ("sort(variables('numbers'), lambda('a', 'b', less(lambdaVariables('a'), lambdaVariables('b'))))", [1, 2, 3]),
    ("reduce(variables('numbers'), 0, lambda('s', 'x', add(lambdaVariables('s'), lambdaVariables('x'))))", 6),
    ("toObject(variables('list'), lambda('x', lambdaVariables('x')), lambda('x', 1))", {"a": 1, "b": 1, "c": 1}),
    ("dateTimeAdd('2026-01-31T00:00:00Z', 'P1DT2H')", "2026-02-01T02:00:00Z"),
    ("dateTimeToEpoch(dateTimeFromEpoch(1704067200))", 1704067200),
    ("guid('a', 'b')", "{guid}"),
    ("length(uniqueString('a'))", 13),
    ("equals(uniqueString('a', 'b'), uniqueString('a', 'c'))", False),
    (f"resourceId('{NET}/subnets', 'v', 's')", f"{SCOPE}/providers/{NET}/v/subnets/s"),
    (f"resourceId('other', '{NET}', 'v')", f"{SCOPE.rpartition('/')[0]}/other/providers/{NET}/v"),
    (f"extensionResourceId(resourceId('{NET}', 'v'), 'Microsoft.Authorization/locks', 'l')",
     f"{SCOPE}/providers/{NET}/v/providers/Microsoft.Authorization/locks/l"),
    ("subscriptionResourceId('Microsoft.Authorization/roleDefinitions', 'r')",
     f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/r"),
    ("resourceGroup().location", "eastus"),
    ("subscription().subscriptionId", SUBSCRIPTION),
    ("deployment().name", "one"),
    ("environment().name", "AzureCloud"),
    ("contains(providers('Microsoft.Compute', 'virtualMachines').apiVersions, '2024-11-01')", True),
    ("lab.greet('you')", "hello you"),
    ("reference(resourceId('Microsoft.Compute/virtualMachines', 'desk-vm'), '2024-07-01').hardwareProfile.vmSize",
     "Standard_D2s_v5"),
    ("empty(listKeys(resourceId('Microsoft.Batch/batchAccounts', 'genomicsbatch'), '2024-07-01').primary)", False),
]  # fmt: skip
FUNCTIONS = [
    {
        "namespace": "lab",
        "members": {
            "greet": {
                "parameters": [{"name": "who", "type": "string"}],
                "output": {"type": "string", "value": "[concat('hello ', parameters('who'))]"},
            },
            "loop": {"parameters": [], "output": {"type": "string", "value": "[lab.loop()]"}},
        },
    }
]
_TYPES = {bool: "bool", int: "int", str: "string", list: "array", dict: "object", type(None): "object"}


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    """Return the value of each case: they are outputs of deployments, which have up to 64."""
    azure = ComputeEmulator()
    found: dict[str, Any] = {}
    for cases in (CASES[:64], CASES[64:]):
        outputs = {
            f"o{number}": {"type": _TYPES[type(expected)], "value": f"[{text}]"}
            for number, (text, expected) in enumerate(cases)
        }
        begun = deploy(azure, template(variables=VARIABLES, outputs=outputs, functions=FUNCTIONS))
        assert begun.status in (200, 201), begun.body
        azure.clock.advance(60)
        shown = azure.ask("GET", ONE, version=VERSION).properties
        assert shown["provisioningState"] == "Succeeded", shown["error"]
        found |= {text: shown["outputs"][f"o{number}"].get("value") for number, (text, _) in enumerate(cases)}
    return found


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_functions_have_the_documented_values(values: dict[str, Any], text: str, expected: Any) -> None:
    if expected == "{guid}":
        assert len(str(values[text])) == 36
        return
    assert (values[text], type(values[text])) == (expected, type(expected))


@pytest.mark.parametrize(
    "text",
    [
        "substring('abc', 2, 5)",
        "div(1, 0)",
        "add('a', 1)",
        "split('a', 1)",
        "format('{1}', 'a')",
        "first(1)",
        "json('{')",
        "variables('object').none",
        "variables('list')[9]",
        "toLower('a', 'b')",
        "createObject('a')",
        "resourceId('a', 'b')",
        f"resourceId('{NET}', 'a', 'b')",
        "if(true(), 1)",
        "map(variables('list'), 'x')",
        "reference('none').a",
        "dateTimeAdd('now', 'P1D')",
        "lab.greet()",
        "base64ToString('*')",
        "shallowMerge(1)",
        "int('x')",
        "_init_()",  # names of Python's own methods
        "_reduce_()",
        "mul(9223372036854775807, 2)",
        f"json('{'[' * 3000}')",
        "padLeft('a', 3000000000)",
        "format('{0,3000000000}', 'a')",
        "format('{0:D3000000000}', 1)",
        "replace(padLeft('', 90000, 'a'), 'a', padLeft('', 90000, 'b'))",
        "variables('chain0')",
        "lab.loop()",
        "padLeft('a', 131073)",
        "reduce(range(0,40), createArray(1), lambda('a','y', createArray(lambdaVariables('a'), lambdaVariables('a'))))",
        "reduce(range(0, 90), createArray(1), lambda('x', 'y', createArray(lambdaVariables('x'))))",
        "dateTimeFromEpoch(99999999999999999)",
        "int('99999999999999999999')",
        "createObject('x', float('nan'))",
        "replace('abc', '', 'x')",
        f"parameters('x'){'.x' * 100}",
    ],
)
def test_wrong_arguments_fail_the_deployment(text: str) -> None:
    azure = ComputeEmulator()
    document = template(
        variables=VARIABLES, functions=FUNCTIONS, outputs={"a": {"type": "object", "value": f"[{text}]"}}
    )
    deploy(azure, document)
    azure.clock.advance(60)
    error = azure.ask("GET", ONE, version=VERSION).properties["error"]
    assert error["details"][0]["code"] == "DeploymentOutputEvaluationFailed"


@pytest.mark.parametrize(
    "text", ["map(range(0, 5000), lambda('x', map(range(0, 5000), lambda('y', 1))))", "variables('twice0')"]
)
def test_expressions_that_take_hours_are_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(work, "MAX_STEPS", 2000)  # the real limit takes a second
    azure = ComputeEmulator()
    deploy(azure, template(variables=VARIABLES, outputs={"a": {"type": "object", "value": f"[{text}]"}}))
    azure.clock.advance(60)
    (error,) = azure.ask("GET", ONE, version=VERSION).properties["error"]["details"]
    assert "more time than a deployment may take" in error["message"]

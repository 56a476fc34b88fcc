"""Template deployments: resources in their order, outputs, failures, refusals before they begin, and the history."""

from __future__ import annotations

from typing import Any

import pytest

from batchimg_magics.emulator.furnish import SUBSCRIPTION
from tests.support.compute_emulator import NETWORK, SUBNET, ComputeEmulator
from tests.support.templates import DEPLOYMENTS, ONE, SCHEMA, SCOPE, VERSION, deploy, template

HIDDEN = "not-a-secret-1"
NIC, ADDRESS = "Microsoft.Network/networkInterfaces", "Microsoft.Network/publicIPAddresses"


@pytest.fixture
def azure() -> ComputeEmulator:
    return ComputeEmulator()


def done(azure: ComputeEmulator, document: Any, **parameters: Any) -> dict[str, Any]:
    """Deploy a template, and return the properties of the deployment when it is over."""
    begun = deploy(azure, document, **parameters)
    assert begun.status in (200, 201), begun.body
    azure.clock.advance(600)
    return azure.ask("GET", ONE, version=VERSION).properties


def address(name: str = "ip", **more: Any) -> dict[str, Any]:
    properties = {"publicIPAllocationMethod": "Static"}
    top = {"type": ADDRESS, "apiVersion": "2024-05-01", "name": name, "location": "[resourceGroup().location]"}
    return {**top, "sku": {"name": "Standard"}, "properties": properties, **more}


def nic(name: str = "nic", **more: Any) -> dict[str, Any]:
    inner = {"subnet": {"id": SUBNET}, "publicIPAddress": {"id": f"[resourceId('{ADDRESS}', 'ip')]"}}
    properties = {"ipConfigurations": [{"name": "ip", "properties": inner}]}
    top = {"type": NIC, "apiVersion": "2015-06-15", "name": name, "location": "eastus"}
    return {**top, "dependsOn": [f"{ADDRESS}/ip"], "properties": properties, **more}


def test_resources_are_made_in_their_order_and_outputs_read_them(azure: ComputeEmulator) -> None:
    outputs = {
        "address": {"type": "string", "value": "[reference('ip').ipAddress]"},
        "owner": {"type": "object", "value": f"[reference(resourceId('{NIC}', 'nic'), '2024-05-01', 'Full')]"},
        "secret": {"type": "securestring", "value": "[parameters('password')]"},
    }
    parameters = {"password": {"type": "securestring"}, "count": {"type": "int", "defaultValue": 2}}
    begun = deploy(azure, template(nic(), address(), outputs=outputs, parameters=parameters), password=HIDDEN)
    assert (begun.status, begun.properties["provisioningState"]) == (201, "Accepted")
    polled = begun.headers["Azure-AsyncOperation"]
    assert azure.ask("GET", polled).body == {"status": "Running"}
    assert azure.ask("GET", f"{NETWORK}/networkInterfaces/nic", version="2024-05-01").status == 404
    running = azure.ask("GET", ONE, version=VERSION).properties
    assert running["provisioningState"] == "Running"
    assert "outputs" not in running
    active = deploy(azure, template())
    assert (active.status, active.code) == (409, "DeploymentActive")
    azure.clock.advance(600)
    assert azure.ask("GET", polled).body == {"status": "Succeeded"}
    shown = azure.ask("GET", ONE, version=VERSION)
    assert shown.properties["outputs"]["address"]["value"].startswith("203.0.113.")
    assert shown.properties["outputs"]["owner"]["value"]["location"] == "eastus"
    assert shown.properties["outputs"]["secret"] == {"type": "SecureString"}
    assert shown.properties["parameters"] == {
        "password": {"type": "SecureString"},
        "count": {"type": "Int", "value": 2},
    }
    assert HIDDEN not in str(shown.body)
    assert [one["id"].rpartition("/")[2] for one in shown.properties["outputResources"]] == ["ip", "nic"]
    (depends,) = shown.properties["dependencies"]
    assert (depends["resourceName"], depends["dependsOn"][0]["resourceName"]) == ("nic", "ip")
    listed = azure.ask("GET", f"{ONE}/operations", version=VERSION).body["value"]
    names = [(one["properties"].get("targetResource") or {}).get("resourceName") for one in listed]
    assert names == ["ip", "nic", None]
    assert listed[0]["properties"]["statusCode"] == "Created"
    assert azure.ask("GET", listed[1]["id"], version=VERSION).body == listed[1]
    exported = azure.ask("POST", f"{ONE}/exportTemplate", version=VERSION).body["template"]
    assert exported["contentVersion"] == "1.0.0.0"
    assert azure.ask("HEAD", ONE, version=VERSION).status == 204
    assert len(azure.ask("GET", DEPLOYMENTS, version=VERSION).body["value"]) == 1
    assert deploy(azure, template()).status == 200
    azure.clock.advance(60)
    assert azure.ask("DELETE", ONE, version=VERSION).status == 202
    azure.clock.advance(60)
    assert azure.ask("GET", ONE, version=VERSION).code == "DeploymentNotFound"
    assert azure.ask("GET", f"{NETWORK}/publicIPAddresses/ip", version="2024-05-01").status == 200


def test_a_failure_fails_the_deployment_and_what_depends_on_it(azure: ComputeEmulator) -> None:
    wrong = address() | {"properties": {"publicIPAllocationMethod": "Dynamic"}}
    found = done(azure, template(wrong, nic(), address("other")))
    assert found["provisioningState"] == "Failed"
    assert (found["error"]["code"], found["error"]["target"]) == ("DeploymentFailed", ONE)
    (detail,) = found["error"]["details"]
    assert detail["code"] == "StandardSkuPublicIPAddressMustBeStatic"
    assert [one["id"].rpartition("/")[2] for one in found["outputResources"]] == ["other"]
    failed = [
        one["properties"]
        for one in azure.ask("GET", f"{ONE}/operations", version=VERSION).body["value"]
        if one["properties"]["provisioningState"] == "Failed"
    ]
    assert [(one["statusCode"], one["statusMessage"]["error"]["code"]) for one in failed] == [
        ("BadRequest", detail["code"])
    ]
    assert azure.ask("GET", f"{NETWORK}/networkInterfaces/nic", version="2024-05-01").status == 404


def test_a_failed_operation_of_a_resource_is_a_failure(azure: ComputeEmulator) -> None:
    extension = {
        "type": "Microsoft.Compute/virtualMachines/extensions",
        "apiVersion": "2024-07-01",
        "name": "desk-vm/script",
        "location": "eastus",
        "properties": {
            "publisher": "Microsoft.Azure.Extensions",
            "type": "CustomScript",
            "typeHandlerVersion": "2.1",
            "protectedSettings": {"commandToExecute": "exit 7"},
        },
    }
    (detail,) = done(azure, template(extension))["error"]["details"]
    assert detail["code"] == "ResourceDeploymentFailure"
    assert detail["details"][0]["code"] == "VMExtensionProvisioningError"


def test_copies_conditions_and_nested_resources(azure: ComputeEmulator) -> None:
    network = {
        "type": "Microsoft.Network/virtualNetworks",
        "apiVersion": "2024-05-01",
        "name": "net",
        "location": "eastus",
        "properties": {"addressSpace": {"addressPrefixes": ["10.9.0.0/16"]}},
        "resources": [
            {
                "type": "subnets",
                "apiVersion": "2024-05-01",
                "name": "a",
                "dependsOn": ["net"],
                "properties": {"addressPrefix": "10.9.1.0/24"},
            }
        ],
    }
    copies = address("[concat('ip', copyIndex(1))]", copy={"name": "ips", "count": "[variables('number')]"})
    never = address("never", condition="[equals(variables('number'), 3)]")
    disk = {
        "type": "Microsoft.Compute/disks",
        "apiVersion": "2024-03-02",
        "name": "[variables('names')[1]]",
        "location": "eastus",
        "dependsOn": ["ips"],
        "tags": {"[variables('names')[0]]": "yes"},
        "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": "[mul(variables('number'), 4)]"},
    }
    variables = {"number": 2, "copy": [{"name": "names", "count": 2, "input": "[format('n{0}', copyIndex('names'))]"}]}
    outputs = {
        "ids": {"type": "array", "copy": {"count": 2, "input": "[reference(concat('ip', copyIndex(1))).ipAddress]"}}
    }
    found = done(azure, template(network, never, copies, disk, variables=variables, outputs=outputs))
    assert found["provisioningState"] == "Succeeded", found["error"]
    made = {one["id"].rpartition("/")[2] for one in found["outputResources"]}
    assert made == {"net", "a", "ip1", "ip2", "n1"}
    assert len(set(found["outputs"]["ids"]["value"])) == 2
    shown = azure.ask("GET", "disks/n1", version="2024-03-02")
    assert (shown.body["tags"], shown.properties["diskSizeGB"]) == ({"n0": "yes"}, 8)


def test_nested_and_subscription_deployments_make_groups(azure: ComputeEmulator) -> None:
    group = {
        "type": "Microsoft.Resources/resourceGroups",
        "apiVersion": "2021-04-01",
        "name": "made",
        "location": "westus2",
    }
    inner = template(
        address() | {"location": "[parameters('region')]"},
        parameters={"region": {"type": "string"}},
        outputs={"name": {"type": "string", "value": "[deployment().name]"}},
    )
    nested = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2022-09-01",
        "name": "inner",
        "resourceGroup": "made",
        "dependsOn": ["[subscriptionResourceId('Microsoft.Resources/resourceGroups', 'made')]"],
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": "inner"},
            "parameters": {"region": {"value": "westus2"}},
            "template": inner,
        },
    }
    outputs = {"inner": {"type": "string", "value": "[reference('inner').outputs.name.value]"}}
    body = {"mode": "Incremental", "template": template(group, nested, outputs=outputs)}
    path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Resources/deployments/top"
    assert azure.ask("PUT", path, {"properties": body}, VERSION).code == "InvalidDeployment"
    begun = azure.ask("PUT", path, {"location": "eastus", "properties": body}, VERSION)
    assert begun.status == 201, begun.body
    azure.clock.advance(600)
    found = azure.ask("GET", path, version=VERSION).properties
    assert found["outputs"]["inner"]["value"] == "inner"
    made = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/made/providers/Microsoft.Network/publicIPAddresses/ip"
    assert azure.ask("GET", made, version="2024-05-01").body["location"] == "westus2"
    listed = azure.ask("GET", path.rpartition("/")[0], version=VERSION).body["value"]
    assert [one["name"] for one in listed] == ["top"]


def test_a_running_deployment_is_canceled(azure: ComputeEmulator) -> None:
    deploy(azure, template(address(), nic()))
    azure.clock.advance(1.5)
    assert azure.ask("DELETE", ONE, version=VERSION).status == 409
    assert azure.ask("POST", f"{ONE}/cancel", version=VERSION).status == 204
    azure.clock.advance(600)
    assert azure.ask("GET", ONE, version=VERSION).properties["provisioningState"] == "Canceled"
    assert azure.ask("GET", f"{NETWORK}/publicIPAddresses/ip", version="2024-05-01").status == 200
    assert azure.ask("GET", f"{NETWORK}/networkInterfaces/nic", version="2024-05-01").status == 404
    assert azure.ask("POST", f"{ONE}/cancel", version=VERSION).code == "DeploymentCannotBeCancelled"


def test_validation_changes_nothing(azure: ComputeEmulator) -> None:
    found = deploy(azure, template(address(), nic()), f"{ONE}/validate")
    assert (found.status, found.properties["provisioningState"]) == (200, "Succeeded")
    assert [one["id"].rpartition("/")[2] for one in found.properties["validatedResources"]] == ["ip", "nic"]
    azure.clock.advance(600)
    assert azure.ask("GET", f"{NETWORK}/publicIPAddresses/ip", version="2024-05-01").status == 404
    assert azure.ask("GET", ONE, version=VERSION).status == 404


def test_policies_and_quotas_refuse_a_deployment_before_it_begins(azure: ComputeEmulator) -> None:
    azure.ask("PUT", "https://management.azure.com/_sim/scenario", {"name": "calm"})
    rule = {
        "if": {"field": "tags['who']", "exists": "false"},
        "then": {"effect": "deny"},
    }
    definition = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/policyDefinitions/tagged"
    azure.ask("PUT", definition, {"properties": {"mode": "Indexed", "policyRule": rule}}, "2023-04-01")
    assignment = f"{SCOPE}/providers/Microsoft.Authorization/policyAssignments/tagged"
    azure.ask("PUT", assignment, {"properties": {"policyDefinitionId": definition}}, "2023-04-01")
    for path in (ONE, f"{ONE}/validate"):
        refused = deploy(azure, template(address("one", tags={"who": "me"}), address()), path)
        assert (refused.status, refused.code) == (400, "InvalidTemplateDeployment")
        assert refused.body["error"]["details"][0]["code"] == "RequestDisallowedByPolicy"
    azure.clock.advance(600)
    assert azure.ask("GET", f"{NETWORK}/publicIPAddresses/one", version="2024-05-01").status == 404


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (None, "The template is not valid"),
        ({"resources": []}, "'$schema' not found"),
        (template() | {"$schema": "https://a.invalid"}, "is not valid"),
        (template(more=1), "Could not find member 'more'"),
        (template(parameters={"a": {"type": "string"}}), "The value for the template parameter 'a' is not provided"),
        (template(parameters={"a": {"type": "text", "defaultValue": "b"}}), "The type 'text'"),
        (template(parameters={"a": {"type": "int", "defaultValue": "b"}}), "Expected a value of type 'Integer'"),
        (template(parameters={"a": {"type": "string", "defaultValue": "b", "allowedValues": ["c"]}}), "allowed value"),
        (template(parameters={"a": {"type": "string", "defaultValue": "b", "minLength": 2}}), "out of range"),
        (template(parameters={"a": {"type": "int", "defaultValue": 9, "maxValue": 8}}), "out of range"),
        (template(address("[nothing()]")), "The template function 'nothing' is not valid"),
        (template(address("[utcNow()]")), "not expected at this location"),
        (template(address("[reference('ip').ipAddress]")), "not expected at this location"),
        (template(address("[parameters('none')]")), "The template parameter 'none' is not found"),
        (template(address("[variables('none')]")), "The template variable 'none' is not found"),
        (template(address("[concat('a']")), "expected token ','"),
        (template(address("[concat('a' 'b')]")), "expected token ','"),
        (template(address("[" + "not(" * 99 + "true()" + ")" * 99 + "]")), "levels deep"),
        (template(functions=[{"namespace": "a", "members": {"b": 1}}]), "The functions of the template"),
        (template(address("a/b")), "incorrect segment lengths"),
        (template(address(), address("IP")), "defined multiple times"),
        (template(nic()), "is not defined in the template"),
        (template(address(dependsOn=["nic"]), nic()), "Circular dependency"),
        (template({"type": ADDRESS, "name": "a"}), "apiVersion"),
        (template({"apiVersion": "1", "name": "a"}), "the property 'type' is missing"),
        (template(address(copy={"name": "c", "count": -1})), "copy count '-1'"),
        (template(address("[copyIndex()]")), "copyIndex"),
        (template(address("[variables('a')]"), variables={"a": "[variables('b')]", "b": "[variables('a')]"}), "itself"),
    ],
)  # fmt: skip
def test_invalid_templates_are_refused(azure: ComputeEmulator, document: Any, words: str) -> None:
    refused = deploy(azure, document)
    assert (refused.status, refused.code) == (400, "InvalidTemplate"), refused.body
    assert refused.message.startswith("Deployment template validation failed: '")
    assert words in refused.message


def test_what_the_emulator_has_not_is_refused_by_name(azure: ComputeEmulator) -> None:
    unsupported = deploy(
        azure, template(outputs={"a": {"type": "string", "value": "[cidrSubnet('10.0.0.0/16', 24, 0)]"}})
    )
    assert (unsupported.status, "cidrSubnet" in unsupported.message) == (501, True)
    for change, word in (
        ({"mode": "Complete"}, "Complete"),
        ({"templateLink": {"uri": "https://a.invalid"}}, "templateLink"),
    ):
        body = {"properties": {"mode": "Incremental", "template": template(), **change}}
        refused = azure.ask("PUT", ONE, body, VERSION)
        assert (refused.status, word in refused.message) == (501, True)
    assert deploy(azure, template(), f"{ONE}/whatIf".replace("whatIf", "validate")).status == 200
    assert azure.ask("POST", f"{ONE}/whatIf", {"properties": {"mode": "Incremental"}}, VERSION).status == 501
    loose = azure.ask("PUT", ONE, {"properties": {"template": template()}}, VERSION)
    assert (loose.status, loose.code) == (400, "InvalidRequestContent")
    unknown = deploy(azure, template(), extra=1)
    assert "'extra' in the parameters file are not valid" in unknown.message


def test_deployments_go_with_their_group(azure: ComputeEmulator) -> None:
    done(azure, template(address()))
    group = {"location": "eastus"}
    assert azure.ask("DELETE", SCOPE, version="2021-04-01").status == 202
    assert azure.ask("GET", f"{SCOPE}/resources", version="2021-04-01").status == 200
    azure.clock.advance(3600)
    assert azure.ask("GET", ONE, version=VERSION).code == "ResourceGroupNotFound"
    azure.ask("PUT", SCOPE, group, "2021-04-01")
    assert azure.ask("GET", DEPLOYMENTS, version=VERSION).body["value"] == []


LOOSE = """{"properties": {"mode": "Incremental", "parameters": {}, template: {
  // a comment, and /* another */ one
  "$schema": "SCHEMA", /* here
  too */ contentVersion: '1.0.0.0',
  "outputs": {"a": {"type": "string", "value": "[concat('it''s // no comment')]"},
    'b': {"type": "string", value: 'a "quote", and
a line'},},
  "resources": [],
}}}"""


def test_templates_are_read_as_people_write_them(azure: ComputeEmulator) -> None:
    url = f"https://management.azure.com{ONE}?api-version={VERSION}"
    headers = {"authorization": "Bearer any"}
    text = LOOSE.replace("SCHEMA", SCHEMA)
    assert azure.app.answer("PUT", url, headers, text.encode()).status == 201
    azure.clock.advance(60)
    outputs = azure.ask("GET", ONE, version=VERSION).properties["outputs"]
    assert [one["value"] for one in outputs.values()] == ["it's // no comment", 'a "quote", and\na line']
    for wrong in (text[:-1], text.replace("[]", "[}"), text + "%", "{a b}"):
        refused = azure.app.answer("PUT", f"{url}&wrong", headers, wrong.encode())
        assert (refused.status, b"InvalidRequestContent" in refused.body) == (400, True)
    disks = url.replace("Microsoft.Resources/deployments", "Microsoft.Compute/disks")
    assert azure.app.answer("PUT", disks, headers, b"{location: 'eastus'}").status == 400
    older = f"{SCOPE}/deployments/one/operations"
    assert len(azure.ask("GET", older, version=VERSION).body["value"]) == 1

"""Built-in policy definitions that deny resources.

Source: the built-in definitions in the documents of Azure Policy, and in the repository Azure/azure-policy.
"""

from __future__ import annotations

from typing import Any

#: The type of resource groups.
GROUP_TYPE = "Microsoft.Resources/subscriptions/resourceGroups"
_DENY = {"effect": "deny"}
_TAG = "[concat('tags[', parameters('tagName'), ']')]"
_IS_GROUP = {"field": "type", "equals": GROUP_TYPE}
_TEXT, _LIST = {"type": "String"}, {"type": "Array"}


def _built_in(
    name: str,
    title: str,
    rule: dict[str, Any],
    *,
    then: dict[str, Any] | None = None,
    mode: str = "Indexed",
    **parameters: Any,
) -> tuple[str, dict[str, Any]]:
    key = f"/providers/Microsoft.Authorization/policyDefinitions/{name}"
    properties = {
        "displayName": title,
        "policyType": "BuiltIn",
        "mode": mode,
        "parameters": parameters,
        "policyRule": {"if": rule, "then": then or _DENY},
    }
    document = {
        "id": key, "name": name, "type": "Microsoft.Authorization/policyDefinitions", "properties": properties,
    }  # fmt: skip
    return key.lower(), document


#: The definitions by their ids in lower case.
BUILT_IN: dict[str, dict[str, Any]] = dict(
    (
        _built_in(
            "871b6d14-10aa-478d-b590-94f262ecfa99",
            "Require a tag on resources",
            {"field": _TAG, "exists": "false"},
            tagName=_TEXT,
        ),
        _built_in(
            "1e30110a-5ceb-460c-a204-c1c3969c6d62",
            "Require a tag and its value on resources",
            {"not": {"field": _TAG, "equals": "[parameters('tagValue')]"}},
            tagName=_TEXT,
            tagValue=_TEXT,
        ),
        _built_in(
            "96670d01-0a4d-4649-9c89-2d3abc0a5025",
            "Require a tag on resource groups",
            {"allOf": [_IS_GROUP, {"field": _TAG, "exists": "false"}]},
            mode="All",
            tagName=_TEXT,
        ),
        _built_in(
            "e56962a6-4747-49cd-b67b-bf8b01975c4c",
            "Allowed locations",
            {
                "allOf": [
                    {"field": "location", "notIn": "[parameters('listOfAllowedLocations')]"},
                    {"field": "location", "notEquals": "global"},
                ]
            },
            listOfAllowedLocations=_LIST,
        ),
        _built_in(
            "a08ec900-254a-4555-9bf5-e42af04b5c5c",
            "Allowed resource types",
            {"not": {"field": "type", "in": "[parameters('listOfResourceTypesAllowed')]"}},
            listOfResourceTypesAllowed=_LIST,
        ),
        _built_in(
            "6c112d4e-5bc7-47ae-a041-ea2d9dccd749",
            "Not allowed resource types",
            {"field": "type", "in": "[parameters('listOfResourceTypesNotAllowed')]"},
            then={"effect": "[parameters('effect')]"},
            mode="All",
            listOfResourceTypesNotAllowed=_LIST,
            effect={"type": "String", "defaultValue": "Deny", "allowedValues": ["Audit", "Deny", "Disabled"]},
        ),
        _built_in(
            "cccc23c7-8427-4f53-ad12-b6a63eb452b3",
            "Allowed virtual machine size SKUs",
            {
                "allOf": [
                    {"field": "type", "equals": "Microsoft.Compute/virtualMachines"},
                    {
                        "not": {
                            "field": "Microsoft.Compute/virtualMachines/sku.name",
                            "in": "[parameters('listOfAllowedSKUs')]",
                        }
                    },
                ]
            },
            listOfAllowedSKUs=_LIST,
        ),
        _built_in(
            "8405fdab-1faf-48aa-b702-999c9c172094",
            "Managed disks should disable public network access",
            {
                "allOf": [
                    {"field": "type", "equals": "Microsoft.Compute/disks"},
                    {"field": "Microsoft.Compute/disks/networkAccessPolicy", "notIn": ["DenyAll", "AllowPrivate"]},
                ]
            },
            then={"effect": "[parameters('effect')]"},
            effect={"type": "String", "defaultValue": "Audit", "allowedValues": ["Audit", "Deny", "Disabled"]},
        ),
        _built_in(
            "83a86a26-fd1f-447c-b59d-e51f44264114",
            "Network interfaces should not have public IPs",
            {
                "allOf": [
                    {"field": "type", "equals": "Microsoft.Network/networkInterfaces"},
                    {
                        "not": {
                            "field": "Microsoft.Network/networkInterfaces/ipConfigurations[*].publicIpAddress.id",
                            "notLike": "*",
                        }
                    },
                ]
            },
        ),
    )
)  # fmt: skip

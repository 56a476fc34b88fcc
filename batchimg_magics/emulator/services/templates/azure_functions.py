"""Functions of templates that depend on where a template is deployed, and those that read resources.

Source: "Resource functions for ARM templates", "Scope functions", "Deployment functions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.catalog.api_versions import types_of
from batchimg_magics.emulator.catalog.regions import DISPLAY_NAMES
from batchimg_magics.emulator.http.messages import Call, Refusal
from batchimg_magics.emulator.http.tokens import TENANT
from batchimg_magics.emulator.services.templates.expressions import TemplateError
from batchimg_magics.emulator.services.templates.text_functions import text_of, to_text
from batchimg_magics.emulator.services.templates.value_functions import whole

if TYPE_CHECKING:
    from collections.abc import Callable


class Place(msgspec.Struct):
    """Where a template is deployed.

    Parameters
    ----------
    call
        The request of the deployment.
    subscription, group
        The scope; the group is empty for a deployment to a subscription.
    deployment
        What the function deployment() returns.
    now
        The time of what is evaluated.
    find
        Returns id and api-version of a resource of the template by its id, its name, or its symbolic name.
    """

    call: Call
    subscription: str
    group: str
    deployment: dict[str, Any]
    now: float
    find: Callable[[str], tuple[str, str] | None] = msgspec.field(default=lambda _: None)

    @property
    def scope(self) -> str:
        """The id of the scope."""
        top = f"/subscriptions/{self.subscription}"
        return f"{top}/resourceGroups/{self.group}" if self.group else top

    # -- requests ----------------------------------------------------------------------------------------------------

    def request(self, method: str, path: str, version: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Send a request to Resource Manager at the time of the place, and return the body of the response."""
        return send(self.call, method, path, version, body, self.now).body

    def read(self, path: str, version: str) -> dict[str, Any]:
        """Return the document of a resource."""
        found = self.request("GET", path, version)
        return found if isinstance(found, dict) else {}

    # -- functions ---------------------------------------------------------------------------------------------------

    def functions(self) -> dict[str, Callable[..., Any]]:
        """Return the functions by name in lower case."""
        return {
            "deployment": lambda: self.deployment,
            "environment": self._environment,
            "extensionresourceid": _extension_id,
            "pickzones": _pick_zones,
            "providers": _providers,
            "resourcegroup": self._resource_group,
            "resourceid": self._resource_id,
            "subscription": self._subscription,
            "subscriptionresourceid": self._subscription_id,
            "tenant": lambda: {"tenantId": TENANT, "displayName": "", "countryCode": "US"},
            "tenantresourceid": lambda kind, *names: "/providers/" + _typed(kind, names),
        }

    def runtime(self, name: str) -> Callable[..., Any]:
        """Return a function that reads resources, by name in lower case."""
        if name == "reference":
            return self._reference
        return lambda *values: self._listed(name, *values)

    def _resource_id(self, *words: object) -> str:
        before, kind, names = _split(words, "resourceId")
        subscription = before[0] if len(before) == 2 else self.subscription
        group = before[-1] if before else self.group
        top = f"/subscriptions/{subscription}" + (f"/resourceGroups/{group}" if group else "")
        return f"{top}/providers/{_typed(kind, names)}"

    def _subscription_id(self, *words: object) -> str:
        before, kind, names = _split(words, "subscriptionResourceId")
        return f"/subscriptions/{before[0] if before else self.subscription}/providers/{_typed(kind, names)}"

    def _resource_group(self) -> dict[str, Any]:
        if not self.group:
            raise TemplateError("The template function 'RESOURCEGROUP' is not expected at this location.")
        found = self.read(self.scope, "2021-04-01")
        return {"tags": {}, "managedBy": None} | found

    def _subscription(self) -> dict[str, Any]:
        top = f"/subscriptions/{self.subscription}"
        found = self.read(top, "2021-01-01")
        return {
            "id": top,
            "subscriptionId": self.subscription,
            "tenantId": found.get("tenantId", TENANT),
            "displayName": found.get("displayName", ""),
        }

    def _environment(self) -> dict[str, Any]:
        return {
            "name": "AzureCloud",
            "gallery": "https://gallery.azure.com/",
            "graph": "https://graph.windows.net/",
            "portal": "https://portal.azure.com",
            "resourceManager": f"{self.call.base}/",
            "authentication": {"loginEndpoint": "https://login.microsoftonline.com/", "tenant": "common"},
            "suffixes": {
                "azureDatalakeStoreFileSystem": "azuredatalakestore.net",
                "keyvaultDns": ".vault.azure.net",
                "sqlServerHostname": ".database.windows.net",
                "storage": "core.windows.net",
            },
        }

    def _reference(self, name: object, version: object = None, how: object = "") -> Any:  # noqa: ANN401 - JSON
        asked = text_of(name, "reference")
        found = self.find(asked)
        if found is None and (version is None or not asked.startswith("/")):
            raise TemplateError(
                f"The template resource reference '{asked}' is not valid: could not find template resource or resource "
                "copy with this name. Please see https://aka.ms/arm-function-reference for usage details."
            )
        key, own_version = found or (asked, "")
        document = self.read(key, to_text(version) or own_version)
        return document if to_text(how).lower() == "full" else document.get("properties", {})

    def _listed(self, name: str, key: object, version: object, body: object = None) -> Any:  # noqa: ANN401 - JSON
        asked = text_of(key, name)
        found = self.find(asked)
        # The name of a function is the name of the action, whose path does not depend on the case.
        return self.request("POST", f"{found[0] if found else asked}/{name}", to_text(version), body)


def send(call: Call, method: str, path: str, version: str, body: object, now: float) -> Any:  # noqa: ANN401
    """Send another request to Resource Manager, inside the transaction of a request; return the `Reply`."""
    if call.send is None:
        raise Refusal(500, "InternalServerError", "The request cannot send another one.")
    inner = msgspec.structs.replace(
        call,
        now=now,
        method=method,
        path=path,
        params={},
        query={"api-version": version},
        headers={name: one for name, one in call.headers.items() if not name.startswith("if-")},
        body=body,
    )
    return call.send(inner)


def _split(words: tuple[object, ...], function: str) -> tuple[list[str], str, list[str]]:
    """Split the arguments of resourceId(): subscription and group, the type, and the names."""
    texts = [text_of(one, function) for one in words]
    at = next((at for at, one in enumerate(texts[:3]) if "/" in one), None)
    if at is None:
        raise TemplateError(
            f"Unable to evaluate template language function '{function}': the type '{texts[0] if texts else ''}' "
            "requires a namespace and a type. Please see https://aka.ms/arm-functions#resourceid for usage details."
        )
    return texts[:at], texts[at], texts[at + 1 :]


def _typed(kind: object, names: Any) -> str:  # noqa: ANN401 - a list or a tuple of JSON
    """Return ``Namespace/type/name/type/name``."""
    namespace, *types = text_of(kind, "resourceId").strip("/").split("/")
    if not types or len(types) != len(names):
        raise TemplateError(
            f"Unable to evaluate template language function 'resourceId': function requires {len(types)} resource name "
            f"argument(s) for the type '{kind}', and {len(names)} were given. Please see "
            "https://aka.ms/arm-functions#resourceid for usage details."
        )
    pairs = "".join(f"/{word}/{to_text(name)}" for word, name in zip(types, names, strict=True))
    return namespace + pairs


def _extension_id(base: object, kind: object, *names: object) -> str:
    return f"{text_of(base, 'extensionResourceId').rstrip('/')}/providers/{_typed(kind, names)}"


def _pick_zones(_namespace: object, _kind: object, _region: object, count: object = 1, offset: object = 0) -> list[str]:
    first = whole(offset, "pickZones")
    return ["1", "2", "3"][first : first + whole(count, "pickZones")]


def _providers(namespace: object, kind: object = "") -> dict[str, Any]:
    name, wanted = text_of(namespace, "providers"), to_text(kind)
    found = {
        word: {"resourceType": word, "locations": list(DISPLAY_NAMES.values()), "apiVersions": list(versions)}
        for word, versions in types_of(name).items()
        if not wanted or word.lower() == wanted.lower()
    }
    if not found:
        raise TemplateError(f"The resource type '{wanted}' could not be found in the namespace '{name}'.")
    return next(iter(found.values())) if wanted else {"namespace": name, "resourceTypes": list(found.values())}

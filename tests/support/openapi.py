"""Microsoft's OpenAPI documents of the operations of the emulator: operations, their bodies, their responses.

They lie beside the checkout, not in it: tests that read them are skipped where they are not.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jsonschema
import msgspec
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from batchimg_magics.emulator.app import App, create_app
from tests.support.paths import SHARED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchimg_magics.emulator.http.messages import Plane

SPECS = SHARED / "specs"
COMPUTE = SPECS / "compute" / "Microsoft.Compute"
#: The documents, by the plane that they describe; each one's folder is named by its api-version.
BATCH = (SPECS / "batch-dp/Microsoft.Batch/stable/2024-02-01.19.0/BatchService.json",)
BATCH_ON_ARM = (SPECS / "batch-mgmt/Microsoft.Batch/stable/2024-02-01/BatchManagement.json",)
COMPUTE_ON_ARM = (
    COMPUTE / "ComputeRP/stable/2024-03-01/computeRPCommon.json",
    COMPUTE / "ComputeRP/stable/2024-03-01/virtualMachine.json",
    COMPUTE / "ComputeRP/stable/2024-03-01/image.json",
    COMPUTE / "DiskRP/stable/2023-10-02/disk.json",
    COMPUTE / "DiskRP/stable/2023-10-02/snapshot.json",
    COMPUTE / "GalleryRP/stable/2023-07-03/gallery.json",
)
MISSING = "Microsoft's OpenAPI is not beside this checkout"
#: Members of answers that the descriptions leave out: what every OData answer has, and what recordings show.
UNDESCRIBED_FIELDS = frozenset({"odata.metadata", "etag", "tags", "proxyAgentSettings", "isDataAction"})


@dataclass(frozen=True, eq=False)
class Schema:
    """A schema, and the document that its references are relative to; one that is referred to is one object."""

    file: Path
    description: dict[str, Any]

    @functools.cached_property
    def resolved(self) -> Schema:
        """The schema that a chain of references ends at."""
        if "$ref" not in self.description:
            return self
        return _target(self.file, self.description["$ref"]).resolved

    @functools.cached_property
    def members(self) -> dict[str, Schema]:
        """What an object of it may have."""
        here = self.resolved
        found: dict[str, Schema] = {}
        for part in here.description.get("allOf", []):
            found |= Schema(here.file, part).members
        return found | {name: Schema(here.file, one) for name, one in here.description.get("properties", {}).items()}

    @functools.cached_property
    def required(self) -> frozenset[str]:
        """What an object of it must have."""
        here = self.resolved
        inherited = [Schema(here.file, part).required for part in here.description.get("allOf", [])]
        return frozenset(here.description.get("required", ())).union(*inherited)

    @functools.cached_property
    def items(self) -> Schema:
        """What the rows of a list are."""
        here = self.resolved
        return Schema(here.file, here.description.get("items", {}))

    def violations(self, value: Any, path: str = "") -> list[str]:
        """Return the paths of what a value has and the schema has not."""
        if isinstance(value, list):
            return [one for row in value for one in self.items.violations(row, f"{path}[]")]
        if not isinstance(value, dict) or not self.members:
            return []
        here = [f"{path}.{name}" for name in value if name not in self.members and name not in UNDESCRIBED_FIELDS]
        known = [
            self.members[name].violations(inner, f"{path}.{name}")
            for name, inner in value.items()
            if name in self.members
        ]
        return here + [one for found in known for one in found]


@functools.cache
def _target(file: Path, reference: str) -> Schema:
    where, _, pointer = reference.partition("#/")
    there = (file.parent / where).resolve() if where else file
    found = document(there) if there.exists() else {}
    for word in pointer.split("/"):
        found = found.get(word, {})
    return Schema(there, found)


@dataclass(frozen=True)
class Operation:
    """One operation of a description."""

    file: Path
    path: str
    method: str

    def __repr__(self) -> str:
        return f"{self.plane} {self.name}"

    @property
    def description(self) -> dict[str, Any]:
        found: dict[str, Any] = document(self.file)["paths"][self.path][self.method]
        return found

    @property
    def name(self) -> str:
        return str(self.description["operationId"])

    @property
    def version(self) -> str:
        return self.file.parent.name

    @property
    def plane(self) -> Plane:
        return "batch" if self.file in BATCH else "arm"

    @functools.cached_property
    def parameters(self) -> list[Schema]:
        return [Schema(self.file, one).resolved for one in self.description.get("parameters", [])]

    def named(self, place: str) -> dict[str, Schema]:
        """Return the parameters that go in ``path``, ``query``, ``header`` or ``body``."""
        return {one.description["name"]: one for one in self.parameters if one.description.get("in") == place}

    @functools.cached_property
    def body(self) -> Schema | None:
        """The schema of what is sent."""
        found = [Schema(one.file, one.description["schema"]) for one in self.named("body").values()]
        return found[0] if found else None

    def url(self, names: dict[str, str], query: dict[str, str]) -> str:
        """Return where to send it, on a host of its plane."""
        path = re.sub(r"\{(\w+)\}", lambda found: quote(names[found[1]], safe=""), self.path)
        words = {"api-version": self.version} | query
        return path + "?" + "&".join(f"{name}={quote(value)}" for name, value in words.items())

    def check(self, response: EmulatorResponse) -> None:
        """See that an answer is one that the description has: its status, and its body in full."""
        self.check_shape(response)
        responses = self.description["responses"]
        described = str(response.status) if str(response.status) in responses else "default"
        if response.status >= 400 and described not in responses:
            return  # disks say nothing of their refusals
        if response.status == 304:  # what conditions bring is left to HTTP
            assert not response.body
            return
        assert response.status >= 400 or described != "default", (
            f"{self.name} answers {response.status}: {sorted(responses)}"
        )
        schema = responses[described].get("schema")
        if schema is None or schema.get("format") == "file" or self.method == "head":
            assert schema is not None or not response.body, f"{self.name} answers {response.status} with a body"
            return
        value = msgspec.json.decode(response.body)
        wrong = [f"{error.json_path}: {error.message}" for error in validator(self, described).iter_errors(value)]
        wrong += [f"${path} is not known" for path in Schema(self.file, schema).violations(value)]
        assert wrong == [], f"{self.name} answers what is not described: {wrong}"

    def check_shape(self, response: EmulatorResponse) -> None:
        """See that an answer is no fault of the service's own, and that a refusal says what it refuses."""
        if response.status < 400 or (response.status < 500 and self.method == "head"):
            return
        value = msgspec.json.decode(response.body)
        error = value.get("error", value)  # bare on the data plane, and in recordings of ARM up to 2015
        assert response.status < 500 or error["code"] == "TooManyEnableAutoScaleRequests", f"{self.name}: {error}"
        assert error["code"]
        assert error["message"]["value"] if self.plane == "batch" else error["message"]


@functools.cache
def document(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def operations(files: tuple[Path, ...]) -> list[Operation]:
    """Return the operations of some documents that have a route in the emulator."""
    if not BATCH[0].exists():
        return []
    router = create_app().router
    found = []
    for file in files:
        for path, methods in document(file)["paths"].items():
            for method in methods:
                one = Operation(file, path, method)
                route, _ = router.find(one.plane, method.upper(), path, one.version)
                if route is not None and "{namespace}" not in route.path:
                    found.append(one)
    return found


# -- validation --------------------------------------------------------------------------------------------------


def _in_any_case(_: Any, words: list[Any], value: Any, schema: dict[str, Any]) -> Iterator[jsonschema.ValidationError]:
    """Refuse a word that is none of an enumeration's; ARM's words differ in case between versions and planes."""
    if schema.get("x-ms-enum", {}).get("name") == "VirtualMachineSizeTypes":
        return  # says itself that it lags behind, and where the sizes are to be had
    if str(value).lower() not in {str(word).lower() for word in words}:
        yield jsonschema.ValidationError(f"{value!r} is none of {words}")


_Validator = jsonschema.validators.extend(jsonschema.Draft4Validator, {"enum": _in_any_case})


def _as_answered(value: Any, file: Path) -> Any:
    """Return a part of a document as answers follow it.

    What is left out: examples, references to documents that are not there, and that secrets are required, which never
    come back. The data plane writes 64 bits as text, as OData does and the SDKs of 2025-06-01 say.
    """
    if isinstance(value, list):
        return [_as_answered(one, file) for one in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("$ref"), str):
        where = value["$ref"].partition("#")[0]
        return value if not where or (file.parent / where).exists() else {}
    reply = {name: _as_answered(one, file) for name, one in value.items() if name not in ("example", "x-ms-examples")}
    if isinstance(reply.get("required"), list):
        reply["required"] = [name for name in reply["required"] if name != "password"]
    if reply.get("format") == "int64" and file in BATCH:
        reply["type"] = ["integer", "string"]
    return reply


@functools.cache
def _registry() -> Registry[Any]:
    """Return all documents, as answers follow them."""
    files = SPECS.rglob("*.json")
    resources = [
        (file.as_uri(), Resource.from_contents(_as_answered(document(file), file), default_specification=DRAFT4))
        for file in files
    ]
    return Registry[Any]().with_resources(resources).crawl()


@functools.cache
def validator(operation: Operation, status: str) -> jsonschema.Draft4Validator:
    words = ("paths", operation.path, operation.method, "responses", status, "schema")
    pointer = "/".join(quote(word.replace("~", "~0").replace("/", "~1"), safe="~") for word in words)
    return _Validator({"$ref": f"{operation.file.as_uri()}#/{pointer}"}, registry=_registry())


# -- asking ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exchange:
    """A good request of an operation, and the status that it is answered with.

    Parameters
    ----------
    status
        What the answer has to have.
    names
        The names in the path, beside those of every path.
    body, query
        As sent.
    """

    status: int = 200
    names: dict[str, str] = field(default_factory=dict)
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EmulatorResponse:
    """An answer of an operation that is described."""

    status: int
    body: bytes
    headers: dict[str, str]


def ask(
    app: App, operation: Operation, host: str, asked: Exchange, headers: dict[str, str] | None = None
) -> EmulatorResponse:
    """Send a request to the app, and return the answer."""
    content = b"" if asked.body is None else msgspec.json.encode(asked.body)
    url = f"https://{host}{operation.url(asked.names, asked.query)}"
    answer = app.answer(operation.method.upper(), url, {"authorization": "Bearer any"} | (headers or {}), content)
    return EmulatorResponse(answer.status, answer.body, answer.headers)

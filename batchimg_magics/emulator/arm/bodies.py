"""Bodies of requests to Azure Resource Manager: read their members, and refuse invalid ones."""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.http.messages import Call, Refusal
from batchimg_magics.emulator.world.evidence import Evidence

evidence = Evidence("Tags")
MAX_TAGS = evidence.documented(50, "tags", "of a resource, at most", "the documents of Azure Resource Manager")
MAX_TAG_NAME = evidence.documented(512, "characters", "of the name of a tag, at most", "the same page")
MAX_TAG_VALUE = evidence.documented(256, "characters", "of the value of a tag, at most", "the same page")
evidence.rule("The refusals of invalid tags have the emulator's own texts.", "no recording shows one")
_FORBIDDEN_IN_TAGS = frozenset("<>%&\\?/")
_RESERVED_IN_TAGS = ("microsoft", "azure", "windows")


#: The members that the front end of Azure Resource Manager knows. Source: its refusals of others, whose words are
#: quoted in issue threads, and the common types of Microsoft's OpenAPI documents.
_NAMES = (
    *("id", "name", "type", "location", "tags", "properties", "sku", "kind", "plan", "identity", "zones", "placement"),
    *("extendedLocation", "managedBy", "managedByExtended", "etag", "scale", "systemData", "resources"),
)
_TOP_LEVEL = {name.lower(): name for name in _NAMES}


def body_of(call: Call) -> dict[str, Any]:
    """Return the body of a request, with ``properties`` even if it has none; refuse one that ARM cannot read."""
    body = call.body if call.body is not None else {}
    if not isinstance(body, dict):
        raise _unreadable("")
    for name in body:
        if name.lower() not in _TOP_LEVEL:
            raise _unreadable(
                f": 'Could not find member '{name}' on object of type 'ResourceDefinition'. Path '{name}'.'"
            )
    body = {_TOP_LEVEL[name.lower()]: value for name, value in body.items()}
    for name in ("properties", "tags", "sku", "identity", "plan"):
        if not isinstance(body.get(name) or {}, dict):
            raise _unreadable(f": 'Error converting value to an object. Path '{name}'.'")
    if isinstance(body.get("sku"), dict) and body["sku"].get("name") in (None, ""):
        raise _unreadable(": 'Required property 'name' not found in JSON. Path 'sku'.'")
    return with_properties(body)


def with_properties(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body with ``properties``, which are empty if it has none."""
    return {**body, "properties": body.get("properties") or {}}


def _unreadable(why: str) -> Refusal:
    message = f"The request content was invalid and could not be deserialized{why or '.'}"
    return Refusal(400, "InvalidRequestContent", message)


def part(value: object, name: str) -> dict[str, Any]:
    """Return an object in a body, empty if it is missing.

    Parameters
    ----------
    value
        The value in the body.
    name
        The path of the property, for the refusal of anything but an object.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(name, f"The value of parameter {name} is invalid.")
    return value


def parts(value: object, name: str) -> list[dict[str, Any]]:
    """Return the objects of a list in a body, none if it is missing."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise invalid(name, f"The value of parameter {name} is invalid.")
    return [part(one, name) for one in value]


def whole(value: object, name: str, *, least: int = 0) -> int:
    """Return an integer in a body; clients may send it as a string."""
    try:
        number = int(str(value))
    except ValueError:
        number = least - 1
    if number < least or isinstance(value, bool):
        raise invalid(name, f"The value '{value}' of parameter '{name}' is out of range. It has to be {least} or more.")
    return number


def text(value: object, name: str) -> str:
    """Return a required string in a body."""
    if value in (None, ""):
        raise missing(name)
    if not isinstance(value, str):
        raise invalid(name, f"The value of parameter {name} is invalid.")
    return value


def one_of(value: object, name: str, words: tuple[str, ...]) -> str:
    """Return a value of an enumeration in Azure's spelling."""
    found = next((word for word in words if word.lower() == str(value).lower()), None)
    if value is None:
        raise missing(name)
    if found is None:
        raise invalid(name, f"The value '{value}' of parameter '{name}' is out of range: {', '.join(words)}.")
    return found


def merged(old: Any, new: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a document with a patch applied: members that the patch does not have stay, lists are replaced."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return old | {key: merged(old.get(key), value) for key, value in new.items()}


def invalid(parameter: str, message: str) -> Refusal:
    """Return the refusal of a parameter."""
    return Refusal(400, "InvalidParameter", message, target=parameter)


def missing(parameter: str) -> Refusal:
    """Return the refusal of a body without a required parameter."""
    return invalid(parameter, f"Required parameter '{parameter}' is missing (null).")


def location_of(call: Call) -> str:
    """Return the region in a body, or refuse a body without one."""
    location = call.body.get("location")
    if not isinstance(location, str) or not location.strip():
        raise Refusal(400, "LocationRequired", "The location property is required for this definition.")
    return location


def check_tags(tags: object) -> None:
    """Refuse tags that are not strings by name, or above Azure's limits.

    Source of the limits: "Use tags to organize your Azure resources".
    """
    if tags is None:
        return
    if not (isinstance(tags, dict) and all(isinstance(one, str) for one in tags.values())):
        raise Refusal(400, "InvalidTags", "The tags are invalid: each has to be a name with a string.")
    if len(tags) > MAX_TAGS:
        message = f"The resource has too many tags: '{len(tags)}'. Maximum number of tags allowed is '{MAX_TAGS}'."
        raise Refusal(400, "TooManyTags", message)
    if len({name.lower() for name in tags}) < len(tags):
        raise Refusal(400, "InvalidTags", "The tag names are invalid: they have to be unique, regardless of case.")
    for name, value in tags.items():
        if not name or len(name) > MAX_TAG_NAME:
            message = f"Tag name too large. The tag name '{name}' has more than {MAX_TAG_NAME} characters, or none."
            raise Refusal(400, "InvalidTagNameLength", message)
        if _FORBIDDEN_IN_TAGS & set(name):
            signs = ",".join(sorted(_FORBIDDEN_IN_TAGS))
            message = f"The tag names '{name}' have reserved characters '{signs}' or control characters."
            raise Refusal(400, "InvalidTagNameCharacters", message)
        if name.lower().startswith(_RESERVED_IN_TAGS):
            message = f"The tag names '{name}' have reserved prefix '{','.join(_RESERVED_IN_TAGS)}'."
            raise Refusal(400, "ReservedTagNamePrefix", message)
        if len(value) > MAX_TAG_VALUE:
            message = f"Tag value too large. The value of tag '{name}' has more than {MAX_TAG_VALUE} characters."
            raise Refusal(400, "InvalidTagValueLength", message)

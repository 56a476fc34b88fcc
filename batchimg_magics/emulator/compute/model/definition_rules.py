"""What an image definition may be, and which of its properties may change.

Source: Microsoft's table of features of definitions; the arguments of terraform's azurerm_shared_image that force a new
one; the SDK's text of ``allowUpdateImage``.
"""

from __future__ import annotations

from typing import Any

from batchimg_magics.emulator.arm import bodies
from batchimg_magics.emulator.compute.model.changes import first_difference, not_allowed, refuse_changes
from batchimg_magics.emulator.world.evidence import Evidence

#: The values of the feature ``SecurityType``: an image without it is Standard. Source: Microsoft's table of features.
_SECURITY = (
    "TrustedLaunch",
    "TrustedLaunchSupported",
    "ConfidentialVM",
    "ConfidentialVMSupported",
    "TrustedLaunchAndConfidentialVmSupported",
)
_FLAGS = ("True", "False")
_FEATURES: dict[str, tuple[str, ...]] = {
    "SecurityType": _SECURITY,
    "IsAcceleratedNetworkSupported": _FLAGS,
    "IsHibernateSupported": _FLAGS,
    "IsSecureBootSupported": _FLAGS,
    "DiskControllerTypes": ("SCSI", "NVMe"),
}
_FIXED = (
    *("osType", "osState", "hyperVGeneration", "architecture", "identifier", "purchasePlan"),
    *("eula", "privacyStatementUri"),
)
_PATH = "galleryImage.properties."
evidence = Evidence("Image definitions")
evidence.rule(
    "The eula, the privacy statement and the purchase plan of a definition cannot change; description, release notes, "
    "end of life, recommended and disallowed can. Features change only with allowUpdateImage.",
    "the refusal of another eula is recorded; for the others terraform makes a new definition",
)
evidence.rule(
    "Features with other names and values than in Microsoft's table are refused.",
    "no recording shows a refusal; the table of the documents may be incomplete",
)


def check_definition(properties: dict[str, Any]) -> None:
    """Refuse a definition whose properties contradict each other."""
    if properties["architecture"] == "Arm64" and properties["hyperVGeneration"] != "V2":
        message = "The architecture 'Arm64' needs the hyperVGeneration 'V2'."
        raise bodies.invalid(f"{_PATH}architecture", message)
    check_recommended(properties)


def check_recommended(properties: dict[str, Any]) -> None:
    """Refuse recommended sizes whose least value is above the largest."""
    for name, limits in (properties.get("recommended") or {}).items():
        if int(limits.get("min") or 0) > int(limits.get("max") or limits.get("min") or 0):
            message = f"The minimum of '{name}' is larger than its maximum."
            raise bodies.invalid(f"{_PATH}recommended.{name}", message)


def features(definition: dict[str, Any], *, modern: bool) -> list[dict[str, Any]]:
    """Return the features of a definition in Azure's spelling.

    Parameters
    ----------
    definition
        Its properties.
    modern
        Whether the api-version adds the default security type.
    """
    listed = [_feature(one) for one in bodies.parts(definition.get("features"), f"{_PATH}features")]
    names = [one["name"] for one in listed]
    if len(set(names)) < len(names):
        raise bodies.invalid(f"{_PATH}features", "A feature of a definition is named more than once.")
    named = next((str(one["value"]) for one in listed if one["name"] == "SecurityType"), "")
    if named and definition["hyperVGeneration"] != "V2":
        message = f"The feature 'SecurityType' with value '{named}' needs the hyperVGeneration 'V2'."
        raise bodies.invalid(f"{_PATH}features", message)
    if modern and not named and (definition["hyperVGeneration"], definition["architecture"]) == ("V2", "x64"):
        listed = [*listed, {"name": "SecurityType", "value": "TrustedLaunchSupported"}]
    return listed


def _feature(feature: dict[str, Any]) -> dict[str, Any]:
    asked, value = str(feature.get("name")), str(feature.get("value"))
    name = next((one for one in _FEATURES if one.lower() == asked.lower()), None)
    if name is None:
        message = f"The feature '{asked}' is not one of: {', '.join(_FEATURES)}."
        raise bodies.invalid(f"{_PATH}features", message)
    words = [word.strip() for word in value.split(",")] if name == "DiskControllerTypes" else [value]
    found = [next((one for one in _FEATURES[name] if one.lower() == word.lower()), None) for word in words]
    if None in found:
        message = f"The value '{value}' of the feature '{name}' is not one of: {', '.join(_FEATURES[name])}."
        raise bodies.invalid(f"{_PATH}features", message)
    return feature | {"name": name, "value": ", ".join(str(one) for one in found)}


def check_change(asked: dict[str, Any], before: dict[str, Any]) -> None:
    """Refuse to change what cannot change."""
    refuse_changes(asked, before, _FIXED, _PATH)
    differs = first_difference(asked.get("features"), before.get("features")) is not None
    if (differs or asked.get("features") == []) and not asked.get("allowUpdateImage"):
        wanted = {one["name"]: one["value"] for one in map(_feature, asked["features"] or [])}
        known = {one.get("name"): one.get("value") for one in before.get("features") or []}
        if wanted != known:
            raise not_allowed(f"{_PATH}features")
    check_recommended(asked)

"""Galleries, definitions and versions that Azure does not make."""

from __future__ import annotations

from typing import Any

from tests.support.compute_bodies import (
    DEFINITION,
    GALLERY,
    GONE,
    RELEASE,
    located,
)
from tests.support.compute_emulator import definition, resource, version

#: A name, the path, the body that is taken, what is changed in it, the status, and the code if it is known.
where = "galleries/lab/images/new"
feature = "properties.features"
GALLERIES: list[tuple[str, str, dict[str, Any], dict[str, Any], int, str]] = [
    ("hyphen", "galleries/my-lab", GALLERY, {}, 400, "InvalidParameter"),
    ("ends with a dot", "galleries/lab2.", GALLERY, {}, 400, "InvalidParameter"),
    ("ends with an underscore", "galleries/lab2_", GALLERY, {}, 400, "InvalidParameter"),
    ("long", f"galleries/{'a' * 81}", GALLERY, {}, 400, "InvalidParameter"),
    ("unknown region", "galleries/new", GALLERY, {"location": "atlantis"}, 400, "LocationNotAvailableForResourceType"),
    ("unknown sharing", "galleries/new", GALLERY, {"properties.sharingProfile": {"permissions": "World"}}, 400, ""),
    (
        "community without facts",
        "galleries/new",
        GALLERY,
        {"properties.sharingProfile": {"permissions": "Community"}},
        400,
        "",
    ),
    ("other region", "galleries/lab", GALLERY, {"location": "westus2"}, 409, "InvalidResourceLocation"),
    ("definition without gallery", "galleries/none/images/new", DEFINITION, {}, 404, "ParentResourceNotFound"),
    *(
        (f"definition without {one}", where, DEFINITION, {f"properties.{one}": GONE}, 400, "InvalidParameter")
        for one in ("osType", "osState", "identifier")
    ),
    *(
        (
            f"definition without {one}",
            where,
            DEFINITION,
            {f"properties.identifier.{one}": GONE},
            400,
            "InvalidParameter",
        )
        for one in ("publisher", "offer", "sku")
    ),
    *(
        (
            f"definition with a bad {one}",
            where,
            DEFINITION,
            {f"properties.identifier.{one}": "a b"},
            400,
            "InvalidParameter",
        )
        for one in ("publisher", "offer", "sku")
    ),
    *(
        (
            f"definition with a long {one}",
            where,
            DEFINITION,
            {f"properties.identifier.{one}": "a" * 129},
            400,
            "InvalidParameter",
        )
        for one in ("publisher", "offer", "sku")
    ),
    *(
        (f"definition with unknown {one}", where, DEFINITION, {f"properties.{one}": "Foo"}, 400, "")
        for one in ("osType", "osState", "hyperVGeneration", "architecture")
    ),
    ("same identifier", where, located(definition("tools", security="TrustedLaunch")), {}, 409, ""),
    ("security standard", where, DEFINITION, {feature: [{"name": "SecurityType", "value": "Standard"}]}, 400, ""),
    ("security unknown", where, DEFINITION, {feature: [{"name": "SecurityType", "value": "Safe"}]}, 400, ""),
    ("feature unknown", where, DEFINITION, {feature: [{"name": "Colour", "value": "Red"}]}, 400, ""),
    ("feature twice", where, DEFINITION, {feature: [{"name": "SecurityType", "value": "TrustedLaunch"}] * 2}, 400, ""),
    ("controller unknown", where, DEFINITION, {feature: [{"name": "DiskControllerTypes", "value": "IDE"}]}, 400, ""),
    ("hibernation a word", where, DEFINITION, {feature: [{"name": "IsHibernateSupported", "value": "maybe"}]}, 400, ""),
    ("trusted gen 1", where, DEFINITION, {"properties.hyperVGeneration": "V1"}, 400, ""),
    (
        "arm gen 1",
        where,
        DEFINITION,
        {feature: GONE, "properties.architecture": "Arm64", "properties.hyperVGeneration": "V1"},
        400,
        "",
    ),
    ("memory upside down", where, DEFINITION, {"properties.recommended": {"memory": {"min": 9, "max": 2}}}, 400, ""),
    ("cores upside down", where, DEFINITION, {"properties.recommended": {"vCPUs": {"min": 9, "max": 2}}}, 400, ""),
    ("unknown disk type", where, DEFINITION, {"properties.disallowed": {"diskTypes": ["Floppy"]}}, 400, ""),
    ("end of life no date", where, DEFINITION, {"properties.endOfLifeDate": "soon"}, 400, ""),
    ("definition name", "galleries/lab/images/-new", DEFINITION, {}, 400, "InvalidParameter"),
    ("definition name end", "galleries/lab/images/new_", DEFINITION, {}, 400, "InvalidParameter"),
    (
        "definition in no region",
        where,
        DEFINITION,
        {"location": "atlantis"},
        400,
        "LocationNotAvailableForResourceType",
    ),
]

#: A name, the path, the body that is taken, what is changed in it, the status, and the code if it is known.
where = "galleries/lab/images/tools/versions/2.0.0"
storage, profile = "properties.storageProfile", "properties.publishingProfile"
data = {"source": {"id": resource("snapshots/data")}, "lun": 0}
regions = f"{profile}.targetRegions"
old = "galleries/lab/images/tools/versions/1.0.0"
VERSIONS: list[tuple[str, str, dict[str, Any], dict[str, Any], int, str]] = [
    *(
        (f"version {name}", f"galleries/lab/images/tools/versions/{name}", RELEASE, {}, 400, "InvalidParameter")
        for name in ("1.0", "1.0.x", "1.0.0.0", "latest", "1.0.99999999999")
    ),
    ("no definition", "galleries/lab/images/none/versions/2.0.0", RELEASE, {}, 404, "ParentResourceNotFound"),
    ("no storage", where, RELEASE, {storage: GONE}, 400, "InvalidParameter"),
    ("no os disk", where, RELEASE, {f"{storage}.osDiskImage": GONE}, 400, "InvalidParameter"),
    (
        "missing snapshot",
        where,
        RELEASE,
        {f"{storage}.osDiskImage.source.id": resource("snapshots/none")},
        404,
        "NotFound",
    ),
    (
        "missing data snapshot",
        where,
        RELEASE,
        {f"{storage}.dataDiskImages.0.source.id": resource("snapshots/none")},
        404,
        "NotFound",
    ),
    ("missing image", where, located(version("images/none")), {}, 404, "NotFound"),
    ("missing vm", where, located(version("virtualMachines/none")), {}, 404, "NotFound"),
    ("source and disks", where, RELEASE, {f"{storage}.source": {"id": resource("images/plain")}}, 400, ""),
    ("no lun", where, RELEASE, {f"{storage}.dataDiskImages.0.lun": GONE}, 400, ""),
    ("lun 64", where, RELEASE, {f"{storage}.dataDiskImages.0.lun": 64}, 400, ""),
    ("two of a lun", where, RELEASE, {f"{storage}.dataDiskImages": [data, data]}, 400, ""),
    ("unknown caching", where, RELEASE, {f"{storage}.osDiskImage.hostCaching": "Write"}, 400, ""),
    ("unknown region", where, RELEASE, {regions: [{"name": "eastus"}, {"name": "atlantis"}]}, 400, ""),
    ("region without name", where, RELEASE, {regions: [{"regionalReplicaCount": 1}]}, 400, ""),
    ("no own region", where, RELEASE, {regions: [{"name": "westus2"}]}, 400, ""),
    ("region twice", where, RELEASE, {regions: [{"name": "eastus"}, {"name": "East US"}]}, 400, ""),
    ("replicas 0", where, RELEASE, {f"{profile}.replicaCount": 0}, 400, ""),
    ("replicas 101", where, RELEASE, {f"{profile}.replicaCount": 101}, 400, ""),
    ("regional replicas 0", where, RELEASE, {regions: [{"name": "eastus", "regionalReplicaCount": 0}]}, 400, ""),
    ("regional replicas 101", where, RELEASE, {regions: [{"name": "eastus", "regionalReplicaCount": 101}]}, 400, ""),
    ("unknown account", where, RELEASE, {f"{profile}.storageAccountType": "Foo_LRS"}, 400, ""),
    (
        "unknown regional account",
        where,
        RELEASE,
        {regions: [{"name": "eastus", "storageAccountType": "UltraSSD_LRS"}]},
        400,
        "",
    ),
    ("unknown mode", where, RELEASE, {f"{profile}.replicationMode": "Deep"}, 400, ""),
    (
        "shallow far",
        where,
        RELEASE,
        {f"{profile}.replicationMode": "Shallow", regions: [{"name": "eastus"}, {"name": "westus2"}]},
        400,
        "",
    ),
    ("excluded a word", where, RELEASE, {f"{profile}.excludeFromLatest": "perhaps"}, 400, ""),
    ("end of life no date", where, RELEASE, {f"{profile}.endOfLifeDate": "soon"}, 400, ""),
    ("source elsewhere", where, RELEASE, {"location": "westus2", regions: [{"name": "westus2"}]}, 400, ""),
    ("security mismatch", "galleries/lab/images/plain/versions/2.0.0", RELEASE, {}, 400, ""),
    (
        "os type mismatch",
        "galleries/lab/images/plain/versions/2.0.0",
        located(version("virtualMachines/win-vm")),
        {},
        400,
        "",
    ),
    (
        "vm not generalized",
        "galleries/lab/images/plain/versions/2.0.0",
        located(version("virtualMachines/desk-vm")),
        {},
        400,
        "",
    ),
    (
        "source changed",
        old,
        RELEASE,
        {
            f"{storage}.osDiskImage.source.id": resource("snapshots/plain"),
            regions: [{"name": "eastus"}, {"name": "westus2"}],
        },
        409,
        "PropertyChangeNotAllowed",
    ),
    ("region removed", old, RELEASE, {}, 400, ""),
    (
        "mode changed",
        old,
        RELEASE,
        {f"{profile}.replicationMode": "Shallow", regions: [{"name": "eastus"}, {"name": "westus2"}]},
        409,
        "",
    ),
    ("version moved", old, RELEASE, {"location": "westus2"}, 409, "InvalidResourceLocation"),
    (
        "missing encryption set",
        where,
        RELEASE,
        {
            regions: [
                {
                    "name": "eastus",
                    "encryption": {"osDiskImage": {"diskEncryptionSetId": resource("diskEncryptionSets/none")}},
                }
            ]
        },
        404,
        "",
    ),
]

"""The effects of a pool's image on its nodes: how they boot, and why they cannot be allocated.

Source: the documents on pools of custom images and on galleries, and issue threads. The code and message of a failed
allocation are those of Microsoft's examples; the provider error has Compute's own text where it is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from batchimg_magics.emulator.arm import resources
from batchimg_magics.emulator.batch.model import machine_fit
from batchimg_magics.emulator.catalog import marketplace
from batchimg_magics.emulator.catalog.vm_sizes import find_size
from batchimg_magics.emulator.compute.model import bootable_images
from batchimg_magics.emulator.compute.model.galleries import VERSIONS
from batchimg_magics.emulator.compute.model.version_sources import IMAGES

if TYPE_CHECKING:
    from batchimg_magics.emulator.batch.model.pools import Pool
    from batchimg_magics.emulator.catalog.vm_sizes import VmSize
    from batchimg_magics.emulator.compute.model.bootable_images import BootableImage
    from batchimg_magics.emulator.world.store import Item, Store

#: (name, value) pairs of a resize error.
ErrorValues = tuple[tuple[str, str], ...]
#: Security types of a gallery image that its VMs must have; with `...Supported` types they may.
_REQUIRED_SECURITY_TYPES = frozenset({"trustedlaunch", "confidentialvm"})


class PoolImage(msgspec.Struct, frozen=True):
    """The image of a pool at a time.

    Parameters
    ----------
    boot
        Key of `node_times.BOOT_S`.
    custom
        Whether it is a custom image.
    replicas
        Of a gallery image in the region of the pool, None for other images.
    unusable
        Share of nodes that become unusable.
    limit_keys
        Keys of the images and sources whose pools share the limit of managed images; empty for other images.
    failure
        Why no node can be allocated, as the values of the resize error.
    """

    boot: str
    custom: bool = False
    replicas: int | None = None
    unusable: float = 0.0
    limit_keys: frozenset[str] = frozenset()
    failure: ErrorValues | None = None


def reference_of(pool: Pool) -> dict[str, Any]:
    """Return the image reference of a pool; a cloud-service pool has none."""
    reference: dict[str, Any] = pool.doc.get("virtualMachineConfiguration", {}).get("imageReference", {})
    return reference


def image_id_of(pool: Pool) -> str | None:
    """Return the id of the custom image of a pool, None for a Marketplace image."""
    found: str | None = reference_of(pool).get("virtualMachineImageId")
    return found


def read_pool_image(store: Store, now: float, account: Item, pool: Pool) -> PoolImage:
    """Return the effects of a pool's image on nodes that are requested now."""
    image_id = image_id_of(pool)
    if image_id is None:
        image, size = marketplace.find(reference_of(pool)), find_size(pool.doc["vmSize"])
        misfit = machine_fit.find_misfit(pool, size, account.doc["location"], None) if size and image else None
        kind = f"{image.os if image else 'windows'}/marketplace"
        return PoolImage(kind, failure=provider_error(*misfit) if misfit else None)
    source = bootable_images.resolve_image(store, now, image_id, account.doc["location"])
    if isinstance(source, bootable_images.ImageProblem):
        return PoolImage("linux/gallery", custom=True, failure=provider_error(source.code, source.message))
    system = source.os_type.lower()
    kind = "gallery" if source.replicas is not None else "managed"
    misfit = _incompatibility(pool, source, account.doc["location"])
    return PoolImage(
        f"{system}/{kind}",
        custom=True,
        replicas=source.replicas,
        unusable=0.0 if source.usable_by_batch else 1.0,
        limit_keys=frozenset(source.source_keys) if kind == "managed" else frozenset(),
        failure=provider_error(*misfit) if misfit else None,
    )


def withdraw_image(store: Store, pool: Pool, at: float) -> None:
    """Let the custom image of a pool be gone from a time on, in every answer, until `restore_images`."""
    image_id = (image_id_of(pool) or "").lower()
    newest = "/galleries/" in image_id and "/versions/" not in image_id.removesuffix("/versions/latest")
    definition = image_id.removesuffix("/versions/latest")
    found = store.items(VERSIONS, definition) if newest else [store.get(image_id)]
    for item in found:
        if item is not None and resources.WITHDRAWN not in item.hidden:
            item.hidden[resources.WITHDRAWN] = at
            store.put(item)


def restore_images(store: Store) -> None:
    """Let the images that were withdrawn be there again."""
    for kind in (VERSIONS, IMAGES):
        for item in store.items(kind):
            if item.hidden.pop(resources.WITHDRAWN, None) is not None:
                store.put(item)


def provider_error(code: str, message: str) -> ErrorValues:
    """Return the values of the resize error for an allocation that Compute refused."""
    cause = msgspec.json.encode({"error": {"code": code, "message": message}}).decode()
    return (("Provider Error Json", cause),)


def _incompatibility(pool: Pool, source: BootableImage, region: str) -> tuple[str, str] | None:
    """Return why Compute would refuse VMs of the pool's size and security type, as (code, message)."""
    size = find_size(pool.doc["vmSize"])
    if size is None:
        return None
    profile = pool.doc["virtualMachineConfiguration"].get("securityProfile", {})
    security = str(profile.get("securityType", "")).lower()
    found = (rule(size, source, security) for rule in _RULES)
    refused = next((("BadRequest", message) for message in found if message is not None), None)
    return refused or machine_fit.find_misfit(pool, size, region, source)


def _wrong_generation(size: VmSize, source: BootableImage, _: str) -> str | None:
    if source.generation in size.generations:
        return None
    return (
        f"The selected VM size '{size.name}' cannot boot Hypervisor Generation '{source.generation[1:]}'. If this was a"
        " Create operation please check that the Hypervisor Generation of the Image matches the Hypervisor Generation"
        " of the selected VM Size."
    )


def _wrong_architecture(size: VmSize, source: BootableImage, _: str) -> str | None:
    if source.architecture.lower() == size.architecture.lower():
        return None
    return (
        f"Cannot create a VM of size '{size.name}' because this VM size only supports a CPU Architecture of"
        f" '{size.architecture}', but an image or disk with CPU Architecture '{source.architecture}' was given."
    )


def _wrong_security(_: VmSize, source: BootableImage, security: str) -> str | None:
    """Check the security type of the pool: some images require one, some allow one, others allow none."""
    takes = source.security_type.lower()
    if takes in _REQUIRED_SECURITY_TYPES and security != takes:
        return (
            "The provided gallery image only supports creation of VMs and VM Scale Sets with"
            f" '{source.security_type}' security type."
        )
    if security and security not in takes:
        return f"Use of {security} setting is not supported for the provided image."
    return None


def _untrusted_size(size: VmSize, _: BootableImage, security: str) -> str | None:
    if security != "trustedlaunch" or size.trusted_launch:
        return None
    return f"The VM size '{size.name}' does not support security type 'TrustedLaunch'."


def _wrong_controller(size: VmSize, source: BootableImage, _: str) -> str | None:
    if source.controllers & {one.lower() for one in size.controllers}:
        return None
    return (
        f"The VM size '{size.name}' cannot boot with OS image or disk. Please check that disk controller types"
        " supported by the OS image or disk is one of the supported disk controller types for the VM size."
    )


_RULES = (_wrong_generation, _wrong_architecture, _wrong_security, _untrusted_size, _wrong_controller)

"""The list of packages of an image as a software bill of materials: CycloneDX 1.6, JSON.

The same list gives the same text, byte for byte: the serial number comes from the SHA-256 of the list, and the time is
that of the image. Package URLs follow the purl specification: https://github.com/package-url/purl-spec (its types deb,
rpm, pypi, conda, cran, bioconductor and generic).
"""

from __future__ import annotations

import importlib.util
import re
import uuid
from typing import TYPE_CHECKING

from batchimg_magics.errors import SpecError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from cyclonedx.model.component import Component
    from packageurl import PackageURL

    from batchimg_magics.core.base.package_list import Package, PackageList

__all__ = ["check_library", "cyclonedx_text", "package_url"]

#: The names of vendors in package URLs, where they are not the ID in ``/etc/os-release``.
_VENDORS = {"rhel": "redhat", "ol": "oracle", "opensuse-leap": "opensuse", "sles": "suse"}
#: Architectures that ``NAME.ARCH`` of an RPM package ends with.
_RPM_ARCHITECTURES = re.compile(r"(.+)\.(i[3-6]86|x86_64|aarch64|armv7hl|ppc64le|s390x|noarch|src)")
_EPOCH = re.compile(r"(\d+):(.+)")
#: Managers of lines that are no packages.
_SYSTEM, _UNREADABLE = "os", "unreadable"


def check_library() -> None:
    """Check that the library that writes the document is installed.

    Raises
    ------
    SpecError
        It is not.
    """
    if importlib.util.find_spec("cyclonedx") is None:
        raise SpecError("CycloneDX needs the extra 'sbom'", hint='pip install "batchimg_magics[sbom]"')


def package_url(package: Package, system: tuple[str, str] = ("", "")) -> PackageURL | None:
    """Return the package URL of a package; None where its manager has none.

    Parameters
    ----------
    package
        The package.
    system
        The name and version of the operating system: ``("debian", "12")``; empty where they are not known.
    """
    make = _PURLS.get(package.manager)
    return None if make is None else make(package, system)


def _deb(package: Package, system: tuple[str, str]) -> PackageURL:
    name, _, architecture = package.name.partition(":")
    qualifiers = _without_empty(arch=architecture, distro=_distro(system))
    return _purl("deb", system[0] or "debian", name, package.version, qualifiers)


def _rpm(package: Package, system: tuple[str, str]) -> PackageURL:
    name, architecture = package.name, ""
    if match := _RPM_ARCHITECTURES.fullmatch(package.name):
        name, architecture = match[1], match[2]
    epoch, version = "", package.version
    if match := _EPOCH.fullmatch(package.version):
        epoch, version = match[1], match[2]
    qualifiers = _without_empty(arch=architecture, distro=_distro(system), epoch=epoch)
    return _purl("rpm", _VENDORS.get(system[0], system[0]), name, version, qualifiers)


def _pypi(package: Package, _: tuple[str, str]) -> PackageURL:
    return _purl("pypi", "", package.name, package.version, {})


def _conda(package: Package, _: tuple[str, str]) -> PackageURL:
    return _purl("conda", "", package.name, package.version, _without_empty(channel=package.source.partition(" ")[0]))


def _r(package: Package, _: tuple[str, str]) -> PackageURL:
    kind = "bioconductor" if package.source.lower().startswith("bioc") else "cran"
    return _purl(kind, "", package.name, package.version, {})


def _generic(package: Package, _: tuple[str, str]) -> PackageURL:
    return _purl("generic", "", package.name, package.version, {})


_PURLS: dict[str, Callable[[Package, tuple[str, str]], PackageURL]] = {
    "dpkg": _deb,
    "rpm": _rpm,
    "pip": _pypi,
    "conda": _conda,
    "r": _r,
    "windows": _generic,
}


def _purl(kind: str, namespace: str, name: str, version: str, qualifiers: dict[str, str]) -> PackageURL:
    from packageurl import PackageURL  # of the extra

    return PackageURL(kind, namespace or None, name, version or None, qualifiers)


def _distro(system: tuple[str, str]) -> str:
    return "-".join(filter(None, system))


def _without_empty(**values: str) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


# -- the document ------------------------------------------------------------------------------------------------


def cyclonedx_text(packages: PackageList, image: str, version: str, at: dt.datetime) -> str:
    """Return the document of an image.

    Parameters
    ----------
    packages
        Its list.
    image, version
        Its name and version.
    at
        Its time, in UTC.

    Raises
    ------
    SpecError
        The library is not installed.
    """
    check_library()
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.dependency import Dependency
    from cyclonedx.output.json import JsonV1Dot6

    from batchimg_magics.core.azure.tags import tool_tags

    tool = Component(name="batchimg_magics", version=next(iter(tool_tags().values())).partition(" ")[2])
    whole = Component(name=image, version=version, type=ComponentType.PLATFORM, bom_ref="image")
    notes = [Property(name="batchimg:sha256", value=packages.sha256)]
    unread = [one for one in packages.packages if one.manager == _UNREADABLE]
    notes += [Property(name="batchimg:unreadable", value=f"{one.name}: {one.source}") for one in unread]
    metadata = BomMetaData(component=whole, timestamp=at, properties=notes)
    metadata.tools.components.add(tool)
    serial = uuid.UUID(hex=packages.sha256[:32], version=4)
    components = _components(packages)
    # `register_dependency` looks for each component among all others: minutes for an image with many packages.
    leaves = [Dependency(one.bom_ref) for one in components]
    dependencies = [Dependency(whole.bom_ref, leaves), *leaves]
    bom = Bom(serial_number=serial, version=1, metadata=metadata, components=components, dependencies=dependencies)
    return f"{JsonV1Dot6(bom).output_as_string(indent=2)}\n"


def _components(packages: PackageList) -> list[Component]:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    system = next(((one.name, one.version) for one in packages.packages if one.manager == _SYSTEM), ("", ""))
    seen: set[str] = set()

    def component(one: Package) -> Component:
        url = package_url(one, system)
        # Two environments can have the same package: each component needs a reference of its own.
        reference = str(url or f"{one.manager}:{one.name}@{one.version}")
        reference = f"{reference}#{one.source}" if reference in seen else reference
        seen.add(reference)
        facts = {"batchimg:manager": one.manager, "batchimg:source": one.source}
        return Component(
            name=url.name if url and one.manager in ("dpkg", "rpm") else one.name,
            version=one.version or None,
            type=kinds.get(one.manager, ComponentType.LIBRARY),
            bom_ref=reference,
            purl=url,
            publisher=(one.source or None) if one.manager == "windows" else None,
            properties=[Property(name=name, value=value) for name, value in facts.items() if value],
        )

    kinds = {_SYSTEM: ComponentType.OPERATING_SYSTEM, "windows": ComponentType.APPLICATION}
    return [component(one) for one in packages.packages if one.manager != _UNREADABLE]

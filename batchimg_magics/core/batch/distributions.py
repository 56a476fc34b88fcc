"""Which operating system an image has: its distribution and version, by the words that Azure's documents use for it.

A node agent SKU is for one distribution family and version: ``batch.node.el 9`` is for RHEL 9 and for the systems that
are built from it. The Marketplace has many more images than Batch lists, with names of their own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: Words of publishers, offers, SKUs and system names, and the distribution family that they mean. The first that
#: matches counts. The families are those of node agent SKUs, where there is one; ``centos`` is an older name of ``el``.
_FAMILIES = tuple(
    (re.compile(words), family)
    for words, family in (
        (r"azure-?linux", "azurelinux"),
        (r"mariner", "mariner"),
        (r"ubuntu|canonical", "ubuntu"),
        (r"opensuse", "opensuse"),
        (r"sles|suse", "sles"),
        (r"flatcar|coreos|kinvolk|rhcos", "container-linux"),
        (r"fedora", "fedora"),
        (r"debian|credativ", "debian"),
        (r"red ?hat|rhel|centos|rocky|alma|oracle|springdale|enterprise linux|\b(ol|el) ?\d|^ol$|\b(resf|ciq)\b", "el"),
        (r"windows", "windows"),
    )
)
#: Source: Ubuntu releases.
_UBUNTU_CODE_NAMES = {
    "trusty": "14.04", "xenial": "16.04", "bionic": "18.04", "focal": "20.04", "jammy": "22.04", "noble": "24.04",
}  # fmt: skip
#: Parts of names with digits that are no version: architectures and generations.
_NOT_VERSIONS = re.compile(r"x86[_-]64|amd64|aarch64|arm64|x64|gen-?[12]|gensecond|(?<![a-z0-9])g[12](?![a-z0-9])")
_UBUNTU_VERSION = re.compile(r"(?<!\d)(1[2-9]|[2-9]\d)[._-]?(04|10)(?!\d)")
#: RHEL writes 9.4 as ``9_4``, ``94`` and ``9.4``, and 8.10 as ``810``.
_EL_VERSION = re.compile(r"(?<!\d)(10|[5-9])(?:[._-]?\d{1,2})?(?!\d)")
_MAJOR_VERSION = re.compile(r"(?<!\d)(\d{1,2})(?!\d)")
_AGENT = re.compile(r"batch\.node\.(\S+) (\S+?)(?:-arm64)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Distribution:
    """An operating system.

    Parameters
    ----------
    family
        As in node agent SKUs: ``ubuntu``, ``el``, ``debian``, ``windows``, ...
    version
        ``22.04`` for Ubuntu, else the major version: ``9``; empty: not known.
    """

    family: str
    version: str = ""

    def __str__(self) -> str:
        name = {"el": "Enterprise Linux", "sles": "SLES"}.get(self.family, self.family)
        return f"{name} {self.version}".strip()

    def runs(self, system: Distribution) -> bool:
        """Return whether a node agent for this distribution is for a system; a version that is not known fits."""
        return self.family == system.family and (not system.version or self.version == system.version)

    @property
    def order(self) -> tuple[int, ...]:
        """A key that sorts versions: a newer one is greater."""
        return tuple(int(part) for part in self.version.split(".") if part.isdigit())


#: There is one node agent for all versions of Windows.
WINDOWS = Distribution("windows")


def of_image(publisher: str, offer: str, sku: str) -> Distribution | None:
    """Return the distribution of a Marketplace image; None where its names do not tell it."""
    # The offer tells more than the publisher: Microsoft publishes images of several distributions.
    family = _family(f"{offer} {sku}") or _family(publisher)
    if family is None:
        return None
    versions = (_version(family, text) for text in (sku, offer, publisher))
    return Distribution(family, next(filter(None, versions), ""))


def of_system(name: str, version: str) -> Distribution | None:
    """Return the distribution that the agent in a VM reports (``osName``, ``osVersion``); None if it is not known."""
    family = _family(name)
    return None if family is None else Distribution(family, _version(family, version))


def of_agent(sku: str) -> Distribution | None:
    """Return the distribution that a node agent SKU is for; None where the name has another form."""
    if (parts := _AGENT.fullmatch(sku)) is None:
        return None
    family = {"centos": "el"}.get(parts[1].lower(), parts[1].lower())
    return WINDOWS if family == "windows" else Distribution(family, _version(family, parts[2]))


def _family(text: str) -> str | None:
    return next((family for words, family in _FAMILIES if words.search(text.lower())), None)


def _version(family: str, text: str) -> str:
    """Return the version in a text, as `Distribution` has it; empty where there is none."""
    rest = _NOT_VERSIONS.sub(" ", text.lower())
    if family == "windows":
        return ""
    if family == "ubuntu":
        if found := _UBUNTU_VERSION.search(rest):
            return f"{found[1]}.{found[2]}"
        return next((version for name, version in _UBUNTU_CODE_NAMES.items() if name in rest), "")
    found = (_EL_VERSION if family == "el" else _MAJOR_VERSION).search(rest)
    return found[1] if found else ""

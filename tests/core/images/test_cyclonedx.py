"""Lists of packages as CycloneDX 1.6: valid, complete, the same each time, with the right package URLs."""

from __future__ import annotations

import datetime as dt
import importlib.util
import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from batchimg_magics.core.base.package_list import Package, PackageList
from batchimg_magics.core.images.cyclonedx import cyclonedx_text, package_url
from batchimg_magics.errors import SpecError

AT = dt.datetime(2026, 7, 1, 9, 30, tzinfo=dt.UTC)
DEBIAN, ALMA, RHEL = ("debian", "12"), ("almalinux", "9.4"), ("rhel", "9.4")


@pytest.mark.parametrize(
    ("package", "system", "url"),
    [
        (("dpkg", "libc6:amd64", "2.36-9+deb12u10"), DEBIAN,
         "pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12"),
        (("dpkg", "bash", "5.1-6ubuntu1"), ("ubuntu", "22.04"), "pkg:deb/ubuntu/bash@5.1-6ubuntu1?distro=ubuntu-22.04"),
        (("dpkg", "git", "1:2.39.5"), DEBIAN, "pkg:deb/debian/git@1:2.39.5?distro=debian-12"),
        (("rpm", "bash", "5.1.8-9.el9"), ALMA, "pkg:rpm/almalinux/bash@5.1.8-9.el9?distro=almalinux-9.4"),
        (("rpm", "perl.i686", "4:5.32.1-481.el9"), RHEL,
         "pkg:rpm/redhat/perl@5.32.1-481.el9?arch=i686&distro=rhel-9.4&epoch=4"),
        (("rpm", "python3.11", "3.11.7-1.el9"), ("", ""), "pkg:rpm/python3.11@3.11.7-1.el9"),
        (("pip", "Typing_Extensions", "4.12.2", "/opt/venv"), DEBIAN, "pkg:pypi/typing-extensions@4.12.2"),
        (("conda", "numpy", "1.26.4", "conda-forge"), DEBIAN, "pkg:conda/numpy@1.26.4?channel=conda-forge"),
        (("conda", "zlib", "1.2.13", ""), DEBIAN, "pkg:conda/zlib@1.2.13"),
        (("r", "data.table", "1.15.4", "CRAN"), DEBIAN, "pkg:cran/data.table@1.15.4"),
        (("r", "Biobase", "2.62.0", "Bioconductor 3.18"), DEBIAN, "pkg:bioconductor/Biobase@2.62.0"),
        (("windows", "Microsoft Visual C++ 2015 (x64)", "14.38", "Microsoft"), ("", ""),
         "pkg:generic/Microsoft%20Visual%20C%2B%2B%202015%20%28x64%29@14.38"),
        (("os", "debian", "12"), DEBIAN, None),
    ],
)  # fmt: skip
def test_package_urls_follow_the_purl_specification(
    package: tuple[str, ...], system: tuple[str, str], url: str | None
) -> None:
    found = package_url(Package(*package), system)
    assert (None if found is None else str(found)) == url


def test_the_document_is_valid_complete_and_always_the_same() -> None:
    packages = PackageList.of(
        [
            Package("os", "debian", "12", "x86_64"),
            Package("dpkg", "libc6:amd64", "2.36"),
            Package("pip", "numpy", "2.1.0", "/opt/a"),
            Package("pip", "numpy", "2.1.0", "/opt/b"),
            Package("windows", "7-Zip <b>", "", "Igor"),
            Package("unreadable", "conda /opt/conda", "", "timed out after 60 s"),
        ]
    )
    text = cyclonedx_text(packages, "genomics", "1.0.1", AT)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert text == cyclonedx_text(PackageList.parse(packages.text), "genomics", "1.0.1", AT)
    found = json.loads(text)
    assert (found["bomFormat"], found["specVersion"], found["metadata"]["timestamp"]) == (
        "CycloneDX", "1.6", "2026-07-01T09:30:00+00:00",
    )  # fmt: skip
    assert found["metadata"]["component"]["name"] == "genomics"
    notes = {one["name"]: one["value"] for one in found["metadata"]["properties"]}
    assert notes["batchimg:unreadable"] == "conda /opt/conda: timed out after 60 s"
    assert notes["batchimg:sha256"] == packages.sha256
    assert len(found["components"]) == len({one["bom-ref"] for one in found["components"]}) == 5
    kinds = {one["name"]: one["type"] for one in found["components"]}
    assert kinds == {"debian": "operating-system", "libc6": "library", "numpy": "library", "7-Zip <b>": "application"}
    other = cyclonedx_text(PackageList.of(packages.packages[1:]), "genomics", "1.0.1", AT)
    assert json.loads(other)["serialNumber"] != found["serialNumber"]


def test_without_the_library_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SpecError, match="CycloneDX needs the extra 'sbom'") as caught:
        cyclonedx_text(PackageList.of([]), "genomics", "1.0.1", AT)
    assert caught.value.hint == 'pip install "batchimg_magics[sbom]"'

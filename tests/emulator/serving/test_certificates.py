"""Certificates: Azure's names, one authority for all processes, and a bundle for clients of other hosts, too."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import certifi
import pytest
import trustme
from cryptography import x509

from batchimg_magics.emulator.serving import certificates, hosts
from batchimg_magics.emulator.serving.certificates import make_certificates

if TYPE_CHECKING:
    from pathlib import Path


def names(path: Path) -> set[str]:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in found}


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1"])
def test_certificate_has_azures_names_and_the_address(tmp_path: Path, address: str) -> None:
    made = make_certificates(tmp_path, tmp_path, hosts.certificate_names(address), environment={})
    found = names(made.certificate)
    assert {address, "localhost", "127.0.0.1", "::1"} <= found
    assert {"management.azure.com", "*.management.azure.com", "login.microsoftonline.com", "login.windows.net"} <= found
    assert {
        "batch.core.windows.net",
        "prices.azure.com",
        "*.eastus.batch.azure.com",
        "*.uksouth.batch.azure.com",
    } <= found
    assert not [name for name in found if name.startswith("*.") and name.count(".") == 2]


def test_clients_trust_the_usual_authorities_and_those_of_the_user(tmp_path: Path) -> None:
    own, folder = tmp_path / "corporate.pem", tmp_path / "folder"
    own.write_bytes(trustme.CA(organization_name="corporate").cert_pem.bytes())
    folder.mkdir()
    (folder / "one.pem").write_bytes(trustme.CA(organization_name="another").cert_pem.bytes())
    existing = {"SSL_CERT_FILE": str(own), "REQUESTS_CA_BUNDLE": str(folder), "CURL_CA_BUNDLE": "/not/there"}
    home = tmp_path / "tls"
    made = make_certificates(home, home, ["localhost"], environment=existing)
    context = ssl.create_default_context(cafile=made.bundle)
    usual = ssl.create_default_context(cafile=certifi.where())
    found = {authority["subject"][0][0][1] for authority in context.get_ca_certs()}
    assert {"corporate", "another", "batchimg emulator"} <= found
    assert len(context.get_ca_certs()) == len(usual.get_ca_certs()) + 3
    # In a shell in which the lines were pasted already, nothing is lost and the bundle does not grow.
    pasted = dict.fromkeys(existing, str(made.bundle))
    before = made.bundle.read_bytes()
    assert sorted(make_certificates(home, home, ["localhost"], environment=pasted).bundle.read_bytes()) == sorted(
        before
    )


def test_processes_that_begin_at_the_same_time_have_one_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[certificates.Certificates] = []

    def make(number: int) -> certificates.Certificates:
        folder = tmp_path / str(number)
        folder.mkdir()
        return make_certificates(tmp_path / "tls", folder, ["localhost"], environment={})

    class Slow(trustme.CA):
        """An authority that takes so long that another process makes one in the meantime."""

        def __init__(self, **options: Any) -> None:
            monkeypatch.undo()
            first.append(make(1))
            super().__init__(**options)

    monkeypatch.setattr(trustme, "CA", Slow)
    made = [make(2), *first]
    authority = x509.load_pem_x509_certificate(made[0].authority.read_bytes())
    for one in made:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(one.certificate, one.key)
        x509.load_pem_x509_certificate(one.certificate.read_bytes()).verify_directly_issued_by(authority)
    assert sorted(path.name for path in (tmp_path / "tls").iterdir()) == [
        "authority.key",
        "authority.pem",
        "bundle.pem",
    ]


def test_authority_of_earlier_versions_is_kept(tmp_path: Path) -> None:
    earlier = trustme.CA()
    (tmp_path / "authority.key").write_bytes(earlier.private_key_pem.bytes())  # its certificate was beside it only
    (tmp_path / "authority.pem").write_bytes(earlier.cert_pem.bytes())
    made = make_certificates(tmp_path, tmp_path, ["localhost"], environment={})
    assert made.authority.read_bytes() == earlier.cert_pem.bytes()

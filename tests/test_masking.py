"""Secrets are masked in any text, in any case and encoding; ordinary text stays as it is."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchimg_magics.masking import make_visible, mask_column, mask_tokens, mask_values, visible_values

#: What must not be left of a secret.
SECRET = "S3cr3tV4lu3xyz"  # noqa: S105 - what the tests look for
KEY = f"{SECRET}{'aB3+' * 18}=="[:86] + "=="
JWT = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{SECRET}"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{SECRET}\n-----END RSA PRIVATE KEY-----"
SAS = f"https://lab.blob.core.windows.net/c/b.vhd?sv=2024-11-04&se=2026-08-01&sp=r&sig={SECRET}%3D"
SECRETS = {
    "sas": SAS,
    "sas upper": SAS.replace("sig=", "SIG="),
    "sas mixed": SAS.replace("sig=", "Sig="),
    "sas encoded": quote(SAS, safe=""),
    "sas encoded twice": quote(quote(SAS, safe=""), safe=""),
    "sas in JSON": json.dumps({"httpUrl": SAS}).replace("&", "\\u0026"),
    "sas in HTML": SAS.replace("&", "&amp;"),
    "sas in nested JSON": json.dumps({"a": json.dumps({"url": SAS.replace("&", "\\u0026")})}),
    "signature alone": f"sv=1&sig={SECRET}&se=1",
    "environment": f"AZURE_STORAGE_SAS_TOKEN=sv=1&sig={SECRET}",
    "function key": f"https://a.azurewebsites.net/api/f?code={SECRET}{SECRET}==",
    "connection string": f"DefaultEndpointsProtocol=https;AccountName=lab;AccountKey={KEY};EndpointSuffix=core",
    "upper connection string": f"ACCOUNTKEY={SECRET};",
    "encoded connection string": f"AccountName%3Dlab%3BAccountKey%3D{SECRET}%3B",
    "service bus": f"Endpoint=sb://a.net/;SharedAccessKeyName=Root;SharedAccessKey={SECRET}=",
    "sql": f"Server=tcp:a;Database=b;User ID=ana;Password={SECRET};Encrypt=True",
    "odbc": f"Driver=x;Uid=ana;Pwd={{{SECRET}}};",
    "shared access signature": f"BlobEndpoint=https://a/;SharedAccessSignature=sv=1&sig={SECRET}",
    "bearer": f"Authorization: Bearer {SECRET}abcdef",
    "bearer upper": f"AUTHORIZATION: BEARER {SECRET}abcdef",
    "bearer in JSON": json.dumps({"Authorization": f"Bearer {SECRET}"}),
    "basic": "Authorization: Basic YW5hOlMzY3IzdFY0bHUzeHl6",
    "shared key": f"Authorization: SharedKey lab:{SECRET}abcdefgh=",
    "api key header": f"curl -H 'x-api-key: {SECRET}' https://a",
    "subscription key": f"Ocp-Apim-Subscription-Key: {SECRET}",
    "jwt": f"the token is {JWT}, and ends",
    "pem": f"key:\n{PEM}\nend",
    "pem in JSON": json.dumps({"data": PEM}),
    "pem cut off": PEM[:60],
    "openssh": PEM.replace("RSA", "OPENSSH"),
    "key alone": f"primary is {KEY} today",
    "key after a name": f"BATCH_KEY={KEY}",
    "password": f"password={SECRET}",
    "password upper": f"DB_PASSWORD={SECRET}",
    "password in humps": f"adminPassword={SECRET}",
    "password in quotes": f'password="{SECRET} with spaces"',
    "password number": "password=S3cr3tV4lu3xyz1",
    "password in ini": f"password = {SECRET}",
    "password in toml": f'password = "{SECRET}"',
    "password in yaml": f"db:\n  password: {SECRET}\n  host: a",
    "password in words": f"The admin password: {SECRET}",
    "password in JSON": json.dumps({"adminPassword": f"{SECRET} \"'x"}),
    "password in a dict": str({"password": SECRET}),
    "password in nested JSON": json.dumps(json.dumps(json.dumps({"password": SECRET}))),
    "password in XML": f"<AdminPassword>{SECRET}</AdminPassword>",
    "setting in JSON": json.dumps([{"name": "HF_TOKEN", "value": SECRET}]),
    "protected settings": json.dumps({"protectedSettings": {"commandToExecute": f"x {SECRET}"}}),
    "token": f"export HF_TOKEN={SECRET}",
    "token in single quotes": f"TOKEN='{SECRET}'",
    "secret": f"client_secret={SECRET}&grant_type=x",
    "option": f"az storage blob upload --account-key {SECRET} --name a",
    "option with equals": f"tool --api-key={SECRET}",
    "option in quotes": f"tool --admin-password '{SECRET} x'",
    "url password": f"https://ana:{SECRET}@host/x",
    "url password with signs": f"https://ana:a@{SECRET}:b@host/x",
    "url token": f"https://{SECRET}abcdefgh@github.com/a",
    "entra secret": f"abc8Q~{SECRET}abcdefghijklmnopqr",
    "github token": f"git clone with ghp_{SECRET}{'a' * 30}",
    "amazon": f"https://a.s3.amazonaws.com/x?X-Amz-Signature={SECRET}",
}
ORDINARY = [
    "https://example.com/?design=1&x=2",
    "sig=0.05 and p_sig=0.013, signal: killed sig=9, Sig=15",
    "max_tokens=4096 token=17 tokens: 12",
    "the password does not meet the complexity rules; set a password: it must have 12 characters",
    "Password: required",
    "--password is needed with --user",
    "password=... password=*** password=$PASSWORD password=${PW} password=%PASSWORD% password={password}",
    "session.nodes('p', password=None)",
    "--admin-password '<password>'",
    "basic authentication/authorization is off; Basic troubleshooting, Basic internationalization",
    "a bearer token-authentication-scheme is needed",
    "key=value; sort_key=name; keys: 3; --ssh-key ~/.ssh/id_ed25519.pub",
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7" + "aB3" * 100 + "== ana@host",
    "PWD=/mnt/batch/tasks/startup/wd OLDPWD=/home/ana",
    "/subscriptions/0/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/v/secrets/s/0123456789abcdef",
    "sha256 " + "0123456789abcdef" * 4,
    "https://ana@host/x git@github.com:a/b ssh://git@host:22/x http://host:8080/a@b",
    "SharedAccessKeyName=RootManageSharedAccessKey",
    "secretUrl=https://v.vault.azure.net/secrets/a",
    "ConnectionString is missing; AccountKey: missing",
    "eyJ is how a token begins",
    "2026-07-01T09:06:27Z node tvmps_0123456789abcdef0123456789abcdef_d is idle",
    "AllocationFailed: the requested 5 of Standard_D4s_v5 are not available in eastus?",
    "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----",
    "https://x/y?code=PoolNotFound&api-version=2025-06-01",
    "client_secret = var.client_secret\nuse_azure_cli_auth = true",
]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_masked(name: str) -> None:
    for text in (SECRETS[name], f"pool p: {SECRETS[name]}; more", f"a\n{SECRETS[name]}\nb"):
        # Beside a colon, only what ends a line is a value.
        if name in ("password in ini", "password in yaml", "password in words") and "more" in text:
            continue
        shown = mask_tokens(text)
        assert SECRET not in shown, shown
        assert "YW5h" not in shown
        assert mask_tokens(shown) == shown
        assert mask_column([None, 3, "a", text]) == [None, 3, "a", shown]
        assert SECRET not in json.dumps(mask_values({"a": [text, {"b": (text,)}]}))


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_stays(text: str) -> None:
    assert mask_tokens(text) == text
    column = [text, "b"]
    assert mask_column(column) is column
    assert mask_values({"a": [text]}) == {"a": [text]}


def test_fields_of_documents_are_masked_by_their_names() -> None:
    document = {
        "adminPassword": "x y",
        "accessToken": "a",
        "tokens": "7",
        "key": "k",
        "password": None,
        "n": {"apiKey": "b"},
    }
    assert mask_values(document) == {
        "adminPassword": "***", "accessToken": "***", "tokens": "7", "key": "k", "password": None,
        "n": {"apiKey": "***"},
    }  # fmt: skip


VALUES = st.text("ABCDEFabcdef0123456789+/_-.!#*@^~", min_size=20, max_size=40).filter(lambda value: value[0].isalnum())


@given(VALUES, st.sampled_from(["password", "Passwd", "AccountKey", "clientSecret", "api_key", "ACCESS_TOKEN", "SIG"]))
def test_a_named_value_of_any_signs_is_masked(value: str, name: str) -> None:
    signs = value.replace("@", "%40")
    for text in (f"{name}={signs}", f"X_{name}='{signs}' b", f"a;{name}={signs};c", json.dumps({f"my{name}": signs})):
        if name == "SIG" and ("'" in text or "{" in text):
            continue
        assert signs not in mask_tokens(text)


WORDS = st.lists(
    st.sampled_from(
        [
            "the",
            "pool",
            "password",
            "token",
            "key",
            "secret",
            "of",
            "is",
            "12",
            "%",
            "and/or",
            "a=1",
            "b:",
            "(d)",
            "'f'",
        ]
    ),
    max_size=30,
).map(" ".join)


@given(WORDS)
def test_words_about_secrets_stay(text: str) -> None:
    assert mask_tokens(text) == text


@given(st.text())
def test_masking_twice_is_masking_once(text: str) -> None:
    shown = mask_tokens(text)
    assert mask_tokens(shown) == shown
    assert make_visible(make_visible(text)) == make_visible(text)
    assert visible_values({text: [text]}) == {make_visible(shown): [make_visible(shown)]}


@pytest.mark.parametrize(
    "part",
    ["?", "://", "://:", "--", "password", "a_", "-", "{", '"', "\\", " ", "token=", "%26sig", "?sig", "A", "eyJ.",
     "eyJ-",
     "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "<password>", '"password":"', "Basic ", "key ", "password: "],
)  # fmt: skip
def test_masking_takes_linear_time(part: str) -> None:
    def needed(size: int) -> float:
        text = part * (size // len(part)) + "sig key token pass :// -- bearer basic == q~ eyj private key"
        began = time.process_time()
        mask_tokens(text)
        return time.process_time() - began

    assert needed(40_000) < 0.5


def test_what_controls_a_terminal_is_visible() -> None:
    text = "a\x1b[31mb\rc\x08d\x9be\u202ef\u200bg\u3164h\U000e0041i\ud800j\tk\nl"
    shown = r"a\x1b[31mb\x0dc\x08d\x9be\u202ef\u200bg\u3164h\U000e0041i\ud800j" + "\tk\nl"
    assert make_visible(text) == shown
    assert visible_values({"a\r": [text, 3, None]}) == {r"a\x0d": [shown, 3, None]}

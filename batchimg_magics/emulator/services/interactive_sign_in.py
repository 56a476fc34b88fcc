"""Sign-in by a person: device codes, and the redirect of a browser.

A device code is good once it has been entered on the page of the emulator, by a person or a test. The page in a browser
asks nothing and sends the person back at once. Source: Microsoft identity platform, "OAuth 2.0 device authorization
grant" and "OAuth 2.0 authorization code flow".
"""

from __future__ import annotations

import hashlib
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from batchimg_magics.emulator.http import planes
from batchimg_magics.emulator.http.messages import Call, Refusal, Reply, Routes
from batchimg_magics.emulator.http.tokens import TokenIssuer, base64_url
from batchimg_magics.emulator.world.evidence import Evidence
from batchimg_magics.emulator.world.store import Item

if TYPE_CHECKING:
    from collections.abc import Mapping

evidence = Evidence("Sign-in by a person")
LIFETIME_S = evidence.documented(900, "s", "for which a device code is valid", "the documents of the device code flow")
INTERVAL_S = evidence.documented(5, "s", "between two polls of a client", "the documents of the device code flow")
evidence.rule("A browser is sent back at once, without a password.", "identities are not simulated")
#: The grants of this module.
GRANTS = frozenset({"urn:ietf:params:oauth:grant-type:device_code", "device_code", "authorization_code"})
_PAGE = "/common/oauth2/deviceauth"
_CODES, _LETTERS = "login/codes", "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
routes = Routes("login", versioned=False)


# -- device codes ------------------------------------------------------------------------------------------------


def _device_code(call: Call) -> Reply:
    form = call.body if isinstance(call.body, dict) else {}
    if not form.get("client_id"):
        raise Refusal(400, "invalid_request", "AADSTS900144: The request body must contain 'client_id'.")
    secret = call.store.new_guid("device code")
    digest = hashlib.sha256(secret.encode()).digest()
    code = "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:9])
    until = TokenIssuer(call.store).now + LIFETIME_S
    _keep(call, secret, {"user_code": code, "client_id": form["client_id"], "until": until, "entered": False})
    page = f"{call.base}{_PAGE}"
    message = f"To sign in, use a web browser to open the page {page} and enter the code {code} to authenticate."
    return Reply(
        200,
        {
            "user_code": code,
            "device_code": secret,
            "verification_uri": page,
            "expires_in": LIFETIME_S,
            "interval": INTERVAL_S,
            "message": message,
        },
    )


@routes.on("GET", _PAGE)
def show_page(call: Call) -> Reply:
    """Answer with the page on which a person enters a device code."""
    code = escape(call.query.get("otc", ""))
    return _html(
        f'<form method="post"><input name="otc" value="{code}" placeholder="Code"><button>Next</button></form>'
    )


@routes.on("POST", _PAGE)
def enter_code(call: Call) -> Reply:
    """Accept a device code that a person enters."""
    form = call.body if isinstance(call.body, dict) else {}
    code = str(form.get("otc", "")).strip().upper()
    for item in call.store.items(_CODES, "/login/codes"):
        if item.doc.get("user_code") == code and item.doc["until"] > TokenIssuer(call.store).now:
            item.doc["entered"] = True
            call.store.put(item)
            return _html("You have signed in to the emulator. You may now close this window.")
    return _html("That code didn't work. Check the code and try again.", 400)


def _html(text: str, status: int = 200) -> Reply:
    page = f"<!DOCTYPE html><html><title>Sign in to the emulator</title><body>{text}</body></html>"
    return Reply(status, page.encode(), {"Content-Type": "text/html; charset=utf-8"})


# -- a browser ---------------------------------------------------------------------------------------------------


def _authorize(call: Call) -> Reply:
    """Send the browser back to the client with a code; the client listens on this machine."""
    asked = call.query
    back = asked.get("redirect_uri", "")
    if not planes.is_local(urlsplit(back).hostname or "") or asked.get("response_type") != "code":
        message = "AADSTS50011: The redirect URI specified in the request does not match the redirect URIs configured."
        raise Refusal(400, "invalid_request", message)
    code = call.store.new_guid("authorization code")
    names = ("redirect_uri", "code_challenge", "nonce", "client_id")
    kept: dict[str, Any] = {name: asked.get(name, "") for name in names}
    _keep(call, code, kept | {"until": TokenIssuer(call.store).now + LIFETIME_S, "entered": True})
    answer = {"code": code, "state": asked.get("state", "")}
    if asked.get("response_mode") != "form_post":
        return Reply(302, None, {"Location": f"{back}?{urlencode(answer)}"})
    fields = "".join(f'<input type="hidden" name="{name}" value="{escape(text)}">' for name, text in answer.items())
    script = "<script>document.forms[0].submit()</script>"
    return _html(f'<form method="post" action="{escape(back)}">{fields}<button>Continue</button></form>{script}')


# -- codes -------------------------------------------------------------------------------------------------------


def redeem(call: Call, grant: str, form: Mapping[str, str]) -> str:
    """Accept a code for a token, once, and return the nonce of its request.

    Raises
    ------
    Refusal
        The code is unknown, has expired, or was not entered yet.
    """
    is_device = grant != "authorization_code"
    code = str(form.get("device_code" if is_device else "code") or form.get("code") or "")
    item = call.store.get(f"/login/codes/{code}") if code else None
    if item is None or bool(item.doc.get("user_code")) != is_device or item.doc["client_id"] != form.get("client_id"):
        if is_device:
            raise Refusal(400, "bad_verification_code", "AADSTS70019: The verification code is not recognized.")
        raise Refusal(400, "invalid_grant", "AADSTS70000: The provided authorization code is invalid.")
    if item.doc["until"] <= TokenIssuer(call.store).now:
        error = "expired_token" if is_device else "invalid_grant"
        raise Refusal(400, error, "AADSTS70008: The provided authorization code has expired.")
    if not item.doc["entered"]:
        message = "AADSTS70016: OAuth 2.0 device flow error. Authorization is pending. Continue polling."
        raise Refusal(400, "authorization_pending", message)
    if challenge := item.doc.get("code_challenge"):
        digest = hashlib.sha256(str(form.get("code_verifier", "")).encode()).digest()
        if base64_url(digest) != challenge:
            raise Refusal(400, "invalid_grant", "AADSTS501481: The Code_Verifier does not match the code_challenge.")
    call.store.delete(item.key)
    return str(item.doc.get("nonce", ""))


def _keep(call: Call, code: str, document: dict[str, Any]) -> None:
    call.store.put(Item(f"/login/codes/{code}".lower(), _CODES, document))


routes.on("POST", "/{tenant}/oauth2/v2.0/devicecode")(_device_code)
routes.on("GET", "/{tenant}/oauth2/v2.0/authorize")(_authorize)

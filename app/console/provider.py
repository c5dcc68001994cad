"""What Streamlit's single sign-on leaves with a browser: says whether a provider has logged it in, and as whom."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from streamlit.auth_util import get_cookie_with_chunks
from streamlit.user_info import generate_login_redirect_url
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

__all__ = ["PROVIDER_COOKIE", "PROVIDER_PATHS", "WAY_OUT", "provider_claims", "provider_vouches", "way_in"]

# Streamlit's own names; the provider sends browsers to the last of the paths.
PROVIDER_COOKIE = "_streamlit_user"
WAY_OUT = "/auth/logout"
PROVIDER_PATHS = frozenset({"/auth/login", WAY_OUT, "/oauth2callback"})


def provider_vouches(cookies: Mapping[str, str]) -> bool:
    """Say whether Streamlit has signed that a provider logged this browser in, and the signature is not too old.

    Parameters
    ----------
    cookies : mapping of str to str
        What the browser has sent; of a long cookie in several parts the first, which counts the others, is enough.
    """
    return _signed(cookies, PROVIDER_COOKIE) is not None


def provider_claims(cookies: Mapping[str, str]) -> dict[str, Any]:
    """Give the claims with which a provider has logged this browser in; none if nothing says so."""
    text = get_cookie_with_chunks(lambda name: _signed(cookies, name), PROVIDER_COOKIE)
    try:
        found = json.loads(text or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _signed(cookies: Mapping[str, str], name: str) -> bytes | None:
    return decode_signed_value(get_cookie_secret(), name, cookies.get(name, ""))


def way_in() -> str:
    """Give the path by which a browser goes to the provider; it holds for minutes only."""
    return generate_login_redirect_url("default")

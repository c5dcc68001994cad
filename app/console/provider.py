"""What Streamlit's single sign-on leaves with a browser: says whether a provider has logged it in, not as whom."""

from __future__ import annotations

from collections.abc import Mapping

from streamlit.user_info import generate_login_redirect_url
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value

__all__ = ["PROVIDER_COOKIE", "PROVIDER_PATHS", "WAY_OUT", "provider_vouches", "way_in"]

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
    signed = cookies.get(PROVIDER_COOKIE, "")
    return decode_signed_value(get_cookie_secret(), PROVIDER_COOKIE, signed) is not None


def way_in() -> str:
    """Give the path by which a browser goes to the provider; it holds for minutes only."""
    return generate_login_redirect_url("default")

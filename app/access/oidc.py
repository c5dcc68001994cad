"""Roles of those whom an identity provider has logged in; whoever has none is refused.

The provider itself is configured where Streamlit looks for it: `[auth]` in `.streamlit/secrets.toml` of the working
folder or of the home folder.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.access.passwords import AccountError
from app.access.roles import ROLES, Role, User

__all__ = ["name_of", "oidc_configured", "oidc_user"]


def oidc_configured() -> bool:
    """Say whether an identity provider is configured.

    Raises
    ------
    AccountError
        If a file of secrets cannot be read.
    """
    return any("auth" in _secrets(folder / ".streamlit" / "secrets.toml") for folder in (Path.home(), Path.cwd()))


def _secrets(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        # What the file holds is not repeated: it is secret.
        raise AccountError(f"{path} cannot be read as TOML ({type(error).__name__})") from None


def name_of(claims: Mapping[str, Any]) -> str:
    """Give the name that somebody goes by here, empty if the claims have none."""
    return next((str(claims[key]) for key in ("email", "preferred_username", "sub") if claims.get(key)), "")


def oidc_user(claims: Mapping[str, Any], *, claim: str, roles: Mapping[str, Role]) -> User | None:
    """Give whom the claims of an identity token name, with the highest role that they give; None without one.

    Parameters
    ----------
    claims : mapping
        What the token says; `email` only counts if the provider calls it verified, or says nothing of that.
    claim : str
        Which of them says the role; a dot goes into a nested one, as in `realm_access.roles`.
    roles : mapping of str to str
        Role by value of the claim; where there are none, the value is the name of a role itself.

    Examples
    --------
    >>> claims = {"email": "kim@plant", "realm_access": {"roles": ["offline", "operator"]}}
    >>> oidc_user(claims, claim="realm_access.roles", roles={})
    User(name='kim@plant', role='operator')
    >>> oidc_user(claims, claim="email", roles={"kim@plant": "admin"}).role
    'admin'
    """
    name = name_of(claims)
    if not name or (claim == "email" and claims.get("email_verified", True) not in (True, "true")):
        return None
    found: Any = claims
    for part in claim.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    values = found if isinstance(found, list | tuple) else [found]
    named = [roles.get(str(value)) if roles else value for value in values if value is not None]
    given = [role for role in ROLES if role in named]
    return User(name, given[-1]) if given else None

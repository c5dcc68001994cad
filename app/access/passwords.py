"""The password file: who is entered, with their role and the argon2id hash of their password; refuses damaged files."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from app.access.roles import ROLES, Role
from features.errors import RacewayError

__all__ = [
    "LEAST_PASSWORD",
    "Account",
    "AccountError",
    "accounts_of",
    "changing",
    "entered",
    "matches",
    "with_password",
]

LEAST_PASSWORD = 10
# Longer ones only make the hash slow to compute.
_MOST_PASSWORD = 256
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
# The second choice of RFC 9106, for machines with little memory: argon2id, 64 MiB, three passes.
_HASHER = PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4)


class AccountError(RacewayError):
    """The password file cannot be used, or an account is not admissible."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in; sessions that were opened before `changed_ns` count no more."""

    name: str
    role: Role
    hash: str = field(repr=False)
    changed_ns: int


def accounts_of(path: Path) -> dict[str, Account]:
    """Read who is entered, by name; nobody where there is no file.

    Raises
    ------
    AccountError
        If the file cannot be read or is damaged.
    """
    try:
        stat = path.stat()
        return dict(_read(path, stat.st_mtime_ns, stat.st_size, stat.st_ino))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise AccountError(f"the password file {path} cannot be read: {error.strerror}") from error


@functools.lru_cache(maxsize=4)
def _read(path: Path, *version: int) -> Mapping[str, Account]:
    """Read the file once for each of its versions: every message of a browser asks."""
    del version
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        accounts = [Account(**one) for one in content["users"]]
        if content["version"] != 1 or not all(one.role in ROLES and _NAME.fullmatch(one.name) for one in accounts):
            raise ValueError("not of the form that this version writes")
        return {one.name: replace(one, changed_ns=int(one.changed_ns)) for one in accounts}
    except (ValueError, TypeError, KeyError) as error:
        # What the file holds is not repeated: it is secret.
        raise AccountError(
            f"the password file {path} is damaged ({type(error).__name__}); put back a copy, or remove it and enter "
            "users anew with `raceway users add`"
        ) from None


@contextlib.contextmanager
def changing(path: Path) -> Iterator[dict[str, Account]]:
    """Hold the file alone; what the block makes of the accounts is written whole, or not at all if it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        accounts = accounts_of(path)
        before = dict(accounts)
        yield accounts
        if accounts != before:
            _write(path, accounts)


def _write(path: Path, accounts: Mapping[str, Account]) -> None:
    content = {"version": 1, "users": [asdict(accounts[name]) for name in sorted(accounts)]}
    # mkstemp gives a file that its owner alone may read.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def entered(name: str, role: Role, password: str, *, now_ns: int) -> Account:
    """Make the account of somebody new.

    Raises
    ------
    AccountError
        If name or password is not admissible.
    """
    if not _NAME.fullmatch(name):
        raise AccountError(f"{name!r} is no user name; up to 64 letters, digits and . _ @ + - are wanted")
    return Account(name, role, _hashed(name, password), now_ns)


def with_password(account: Account, password: str, *, now_ns: int) -> Account:
    """Give the account another password.

    Raises
    ------
    AccountError
        If it is not admissible.
    """
    return replace(account, hash=_hashed(account.name, password), changed_ns=now_ns)


def _hashed(name: str, password: str) -> str:
    if not LEAST_PASSWORD <= len(password) <= _MOST_PASSWORD:
        raise AccountError(f"a password has {LEAST_PASSWORD} to {_MOST_PASSWORD} characters")
    if name.casefold() in password.casefold():
        raise AccountError("a password does not contain the name of its user")
    return _HASHER.hash(password)


def matches(account: Account | None, password: str) -> bool:
    """Say whether a password is that of an account; for none it takes as long as for one.

    Examples
    --------
    >>> kim = entered("kim", "viewer", "correct horse", now_ns=0)
    >>> matches(kim, "correct horse"), matches(kim, "wrong horse"), matches(None, "correct horse")
    (True, False, False)
    """
    try:
        right = _HASHER.verify(_of_nobody() if account is None else account.hash, password[: _MOST_PASSWORD + 1])
    except (Argon2Error, InvalidHashError):
        return False
    return right and account is not None


@functools.lru_cache(maxsize=1)
def _of_nobody() -> str:
    return _HASHER.hash(os.urandom(16))

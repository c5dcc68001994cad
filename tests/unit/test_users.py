"""The password file and the commands that change it."""

from __future__ import annotations

import getpass
import json
import stat
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from app.access import passwords
from app.access.accounts import add, change_own_password, remove, set_password, set_role
from app.access.audit import trail
from app.access.oidc import oidc_configured, oidc_user
from app.access.passwords import Account, AccountError, accounts_of, changing, entered, matches
from app.access.roles import ROLES, ForbiddenError, User
from app.access.sessions import open_session, user_of
from app.cli import _raceway
from app.settings import Settings
from app.store import open_store, reading, writing

_ADA = User("ada", "admin")


pytestmark = pytest.mark.usefixtures("quick_hashes")


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    return store


def _run(settings: Settings, *arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(_raceway, ["--data-dir", str(settings.data_dir), "users", *arguments], input=typed)


def test_users_are_entered_changed_and_removed(settings: Settings) -> None:
    assert "nobody is entered" in _run(settings, "list").output
    assert _run(settings, "add", "ada", "--role", "admin", typed="correct horse\n").exit_code == 0
    assert _run(settings, "add", "kim", typed="battery staple\n").output == "kim is entered as viewer\n"
    _run(settings, "role", "kim", "engineer")
    _run(settings, "passwd", "kim", typed="another staple\n")
    assert json.loads(_run(settings, "list", "--json").output)[1] == {"name": "kim", "role": "engineer"}
    kim = accounts_of(settings.users)["kim"]
    assert (matches(kim, "another staple"), matches(kim, "battery staple")) == (True, False)
    _run(settings, "remove", "kim")
    assert list(accounts_of(settings.users)) == ["ada"]
    with reading(open_store(settings.database)) as connection:
        done = [(deed.who, deed.action, deed.target, deed.why) for deed in reversed(trail(connection))]
    who = getpass.getuser()
    assert done == [
        (who, "add user", "ada", "admin"),
        (who, "add user", "kim", "viewer"),
        (who, "set role", "kim", "engineer"),
        (who, "set password", "kim", ""),
        (who, "remove user", "kim", ""),
    ]


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        (("add", "kim"), "short", "a password has 10 to 256 characters"),
        (("add", "kim"), "kim's horse 7", "does not contain the name"),
        (("add", "k im"), "correct horse", "is no user name"),
        (("add", "ADA"), "correct horse", "there is a user ADA already"),
        (("remove", "ada"), "", "at least one user has to be admin"),
        (("role", "ada", "viewer"), "", "at least one user has to be admin"),
        (("remove", "otto"), "", "there is no user otto"),
    ],
)
def test_what_is_not_admissible_is_refused_and_changes_nothing(
    arguments: tuple[str, ...], typed: str, said: str, settings: Settings
) -> None:
    _run(settings, "add", "ada", "--role", "admin", typed="correct horse\n")
    before = settings.users.read_bytes()
    shown = _run(settings, *arguments, typed=f"{typed}\n")
    assert (shown.exit_code, said in shown.output) == (2, True)
    assert settings.users.read_bytes() == before


def test_the_first_user_has_to_be_admin(settings: Settings) -> None:
    assert "at least one user has to be admin" in _run(settings, "add", "kim", typed="correct horse\n").output
    assert accounts_of(settings.users) == {}


def test_passwords_are_asked_for_twice_without_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    from app.commands import users

    answers = iter(["correct horse", "correct house"])
    monkeypatch.setattr(users.getpass, "getpass", lambda _: next(answers))
    monkeypatch.setattr(users.sys, "stdin", type("Terminal", (), {"isatty": lambda _: True})())
    with pytest.raises(AccountError, match="the two are not the same"):
        users._password()


def test_the_file_is_its_owners_alone_and_written_whole(
    settings: Settings, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with writing(engine) as connection:
        add(connection, settings.users, _ADA, "ada", "admin", "correct horse", now_ns=1)
    assert stat.S_IMODE(settings.users.stat().st_mode) == 0o600
    before = settings.users.read_bytes()

    def broken(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(passwords.json, "dump", broken)
    with pytest.raises(OSError, match="disk full"), writing(engine) as connection:
        add(connection, settings.users, _ADA, "kim", "viewer", "correct horse", now_ns=2)
    assert settings.users.read_bytes() == before
    assert [path.name for path in settings.users.parent.glob(".users*")] == []
    with reading(engine) as connection:
        assert len(trail(connection)) == 1


@pytest.mark.parametrize(
    "content", ["", "{}", '{"version": 2, "users": []}', '{"version": 1, "users": [{"name": "a", "role": "king"}]}']
)
def test_a_damaged_file_is_said_and_not_repeated(content: str, settings: Settings) -> None:
    settings.users.parent.mkdir(parents=True)
    settings.users.write_text(content or "secret$argon2id")
    shown = _run(settings, "list")
    assert (shown.exit_code, "is damaged" in shown.output, "argon2id" in shown.output) == (2, True, False)


def test_a_change_is_seen_at_once(settings: Settings) -> None:
    settings.data_dir.mkdir(parents=True)
    for name in ("ada", "bob", "eve"):
        with changing(settings.users) as accounts:
            accounts[name] = Account(name, "admin", "x", 1)
        assert name in accounts_of(settings.users)


def test_ones_own_password_is_changed_by_who_knows_the_old_one(settings: Settings, engine: sa.Engine) -> None:
    kim = User("kim", "viewer")
    with writing(engine) as connection:
        add(connection, settings.users, _ADA, "ada", "admin", "correct horse", now_ns=1)
        add(connection, settings.users, _ADA, "kim", "viewer", "correct horse", now_ns=1)
        token = open_session(connection, "kim", now_ns=2, hours=1.0)
        assert user_of(connection, token, accounts_of(settings.users), now_ns=3) == kim
        with pytest.raises(AccountError, match="the old password is wrong"):
            change_own_password(connection, settings.users, kim, "wrong horse", "battery staple", now_ns=3)
        change_own_password(connection, settings.users, kim, "correct horse", "battery staple", now_ns=3)
        assert user_of(connection, token, accounts_of(settings.users), now_ns=3) is None
    assert matches(accounts_of(settings.users)["kim"], "battery staple")


def test_only_who_manages_changes_users(settings: Settings, engine: sa.Engine) -> None:
    path = settings.users
    for role in ROLES[:-1]:
        by = User("kim", role)
        with writing(engine) as connection:
            for deed in (
                lambda c=connection, by=by: add(c, path, by, "x", "admin", "correct horse", now_ns=1),
                lambda c=connection, by=by: set_password(c, path, by, "x", "correct horse", now_ns=1),
                lambda c=connection, by=by: set_role(c, path, by, "x", "admin", now_ns=1),
                lambda c=connection, by=by: remove(c, path, by, "x", now_ns=1),
            ):
                with pytest.raises(ForbiddenError, match=f"kim is {role} and may not manage"):
                    deed()
    assert not path.exists()


def test_a_session_ends_with_its_time(engine: sa.Engine) -> None:
    accounts = {"ada": Account("ada", "admin", "x", 5)}
    with writing(engine) as connection:
        token = open_session(connection, "ada", now_ns=10, hours=1.0)
        end_ns = 10 + 3_600_000_000_000
        assert user_of(connection, token, accounts, now_ns=end_ns - 1) == User("ada", "admin")
        assert user_of(connection, token, accounts, now_ns=end_ns) is None
        assert user_of(connection, None, accounts, now_ns=10) is None
        # Changed since, by a copy of the file that was put back, say.
        assert user_of(connection, token, {"ada": Account("ada", "admin", "x", 11)}, now_ns=12) is None


@pytest.mark.parametrize(
    ("claims", "claim", "roles", "role"),
    [
        ({"email": "kim@plant", "groups": ["a", "vib-ops"]}, "groups", {"vib-ops": "operator"}, "operator"),
        ({"email": "kim@plant", "groups": ["x", "y"]}, "groups", {"x": "engineer", "y": "viewer"}, "engineer"),
        ({"sub": "7", "role": "admin"}, "role", {}, "admin"),
        ({"sub": "7", "role": "admin"}, "role", {"boss": "admin"}, None),
        ({"email": "kim@plant", "email_verified": False}, "email", {"kim@plant": "admin"}, None),
        ({"email": "kim@plant"}, "realm_access.roles", {}, None),
        ({"groups": ["admin"]}, "groups", {}, None),
        ({"email": "none@plant", "groups": None}, "groups", {"None": "viewer"}, None),
    ],
)
def test_roles_come_from_claims(claims: dict[str, Any], claim: str, roles: dict[str, Any], role: str | None) -> None:
    found = oidc_user(claims, claim=claim, roles=roles)
    assert (found and found.role) == role


def test_a_provider_is_configured_by_the_secrets(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings is not None
    home = Path("home")
    home.mkdir()
    monkeypatch.setenv("HOME", str(home.absolute()))
    assert not oidc_configured()
    secrets = Path(".streamlit/secrets.toml")
    secrets.parent.mkdir()
    secrets.write_text('[auth]\nclient_secret = "hidden"\n')
    assert oidc_configured()
    secrets.write_text('[auth]\nclient_secret = "hidden\n')
    with pytest.raises(AccountError, match=r"secrets.toml cannot be read as TOML \(TOMLDecodeError\)"):
        oidc_configured()


def test_passwords_are_kept_as_argon2id_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    kim = entered("kim", "viewer", "correct horse", now_ns=1)
    assert kim.hash.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert "argon2" not in repr(kim)

"""A plant's own broker: TLS, a client certificate and a password, all of which must be right."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from making import block
from waiting import PATIENCE_S

from app.broker import free_port, port_is_free
from app.mqtt import BrokerError, broker_of, protocol_of
from app.process import spawn, stop
from app.publisher import Publisher
from app.schema import blocks
from app.settings import Settings, load_settings
from app.store import open_store, reading

pytestmark = pytest.mark.service


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def _certificates(folder: Path) -> None:
    """A CA, and a server's and a client's certificate that it signed; and a CA that nobody trusts."""
    key = ("-newkey", "rsa:2048", "-nodes", "-days", "2")
    for ca in ("ca", "stranger"):
        _openssl(folder, "req", "-x509", *key, "-keyout", f"{ca}.key", "-out", f"{ca}.crt", "-subj", f"/CN={ca}")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    for name in ("server", "client"):
        _openssl(folder, "req", *key[:3], "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signer = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
        _openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signer, "-out", f"{name}.crt")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A Mosquitto that wants TLS, our certificate and a password; and the settings that have them."""
    search = "/usr/bin:/usr/sbin:/usr/local/sbin"
    mosquitto = shutil.which("mosquitto", path=search)
    if not mosquitto or not shutil.which("openssl") or not shutil.which("mosquitto_passwd", path=search):
        pytest.skip("mosquitto or openssl is not installed; `make packages` installs Mosquitto as root")
    tmp_path = tmp_path_factory.mktemp("secured")
    _certificates(tmp_path)
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(tmp_path / "users"), "plant", "right"], check=True)
    port = free_port()
    (tmp_path / "conf").write_text(
        f"listener {port} 127.0.0.1\ncafile {tmp_path}/ca.crt\ncertfile {tmp_path}/server.crt\n"
        f"keyfile {tmp_path}/server.key\nrequire_certificate true\nallow_anonymous false\n"
        f"password_file {tmp_path}/users\nuser root\n"
    )
    broker = spawn([mosquitto, "-c", str(tmp_path / "conf")], log=tmp_path / "log")
    deadline = time.monotonic() + PATIENCE_S
    while port_is_free("127.0.0.1", port):
        assert time.monotonic() < deadline, (tmp_path / "log").read_text()
    yield load_settings(
        data_dir=tmp_path / "raceway-data",
        broker_url=f"mqtts://127.0.0.1:{port}",
        broker_user="plant",
        broker_password="right",
        broker_ca=tmp_path / "ca.crt",
        broker_cert=tmp_path / "client.crt",
        broker_key=tmp_path / "client.key",
    )
    stop([broker])


def test_blocks_travel_to_the_store_over_tls(secured: Settings) -> None:
    engine = open_store(secured.database, migrate=True)
    ingest = spawn([sys.executable, "-m", "app.cli", "ingest"], environment=secured.environment())
    try:
        with Publisher(broker_of(secured), client_id="sensor") as publisher:
            deadline, pause = time.monotonic() + PATIENCE_S, threading.Event()
            stored = 0
            while not stored:
                assert time.monotonic() < deadline
                # Until ingest has subscribed, the broker keeps nothing for it: the same block is sent again.
                publisher.block(block(0, start_ns=time.time_ns()))
                publisher.flush()
                pause.wait(0.3)
                with reading(engine) as connection:
                    stored = connection.execute(sa.select(sa.func.count()).select_from(blocks)).scalar_one()
    finally:
        stop([ingest])
    assert stored >= 1


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"broker_password": "wrong"}, "refuses us .*check broker_user and broker_password"),
        ({"broker_ca": "stranger.crt"}, "no broker answers .*certificate verify failed"),
        ({"broker_ca": "missing.crt"}, "certificates for .* cannot be used"),
    ],
    ids=["password", "ca", "file"],
)
def test_what_is_wrong_is_said(secured: Settings, wrong: dict[str, str], match: str) -> None:
    folder = secured.data_dir.parent
    values = {name: folder / value if name == "broker_ca" else value for name, value in wrong.items()}
    with pytest.raises(BrokerError, match=match):
        protocol_of(broker_of(secured.model_copy(update=values)))

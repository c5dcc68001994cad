"""Nodes are listed and models rolled out, halted, resumed and rolled back on the command line, with who and why."""

from __future__ import annotations

import getpass
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from updating_nodes import CONTRACT, KEY, model_image

from app.cli import _raceway
from app.commands.fleet import fleet
from app.commands.node import node
from app.fleet.nodes import Node
from app.fleet.records import one_rollout
from app.fleet.service import Dispatcher, publication_of
from app.fleet.stepping import Order, step
from app.gateway.updates import read_update
from app.schema import nodes, rollout_members
from app.settings import Settings
from app.store import PointRow, reading, save_point, writing
from edge.node.package import open_image, render_public_key
from features.errors import ArtifactError, ParameterError

_NOW_NS = 1_795_000_000_000_000_000


@pytest.fixture
def engine(store: sa.Engine) -> sa.Engine:
    with writing(store) as connection:
        for i in range(3):
            name = f"plant/n{i}/node"
            save_point(connection, PointRow(name, name), new=True)
            one = Node(name, f"n{i}", online=i != 0, model=5, slot="confirmed", contract=CONTRACT.hex(), boot=1)
            connection.execute(nodes.insert().values(**vars(one)))
    return store


@pytest.fixture
def run(settings: Settings, engine: sa.Engine) -> Any:
    del engine

    def call(*arguments: str, group: str = "fleet") -> Result:
        return CliRunner().invoke(_raceway, ["--data-dir", str(settings.data_dir), group, *arguments])

    return call


@pytest.fixture
def image(tmp_path: Path) -> str:
    (tmp_path / "m6.image").write_bytes(model_image(6))
    return str(tmp_path / "m6.image")


def test_nodes_are_listed(run: Any) -> None:
    assert "n1    plant/n1/node  online   5      confirmed" in run("list").output
    assert [one["name"] for one in json.loads(run("list", "--json").output)] == ["n0", "n1", "n2"]


def test_a_roll_out_is_begun_halted_and_resumed_with_who_and_why(run: Any, engine: sa.Engine, image: str) -> None:
    begun = run("rollout", image, "--stages", "1,50%,100%", "--user", "anna", "--why", "better at low speed")
    assert begun.output == "roll-out 1 begun; `raceway fleet status 1` shows how it goes\n"
    with writing(engine) as connection:
        (order,) = step(connection, now_ns=_NOW_NS)
    # The first one to be tried can be reached.
    assert (order.kind, order.point_id) == ("update", "plant/n1/node")
    assert run("halt", "--why", "wait", "--user", "bert").output.startswith(
        "rollout 1 of version 6 is halted (halted by bert: wait); 1 sent, 2 waiting"
    )
    with writing(engine) as connection:
        assert step(connection, now_ns=_NOW_NS) == []
    assert "is running; 3 waiting" in run("resume", "1", "--why", "go on").output
    shown = json.loads(run("status", "--json").output)
    assert (shown["version"], shown["phase"], shown["policy"]["stages"]) == (6, "running", [1, 0.5, 1.0])
    assert [(row["who"], row["action"]) for row in shown["log"]] == [
        ("anna", "rollout"),
        ("raceway", "sent"),
        ("bert", "halt"),
        ("raceway", "recalled"),
        (getpass.getuser(), "resume"),
    ]
    assert [shown["log"][i]["why"] for i in (0, 2, 4)] == ["better at low speed", "wait", "go on"]
    assert "plant/n2/node" in run("status").output
    assert run("resume", "--why", "x").exit_code == 2


def test_what_no_node_could_take_is_refused_in_one_sentence(run: Any, tmp_path: Path, image: str) -> None:
    (tmp_path / "old.image").write_bytes(model_image(4))
    (tmp_path / "cut.image").write_bytes(model_image(6)[:300])
    for arguments, why in (
        ((str(tmp_path / "old.image"),), "runs version 5, the image has 4"),
        ((str(tmp_path / "cut.image"),), "image"),
        ((str(tmp_path / "none.image"),), "cannot be read"),
        ((image, "n7"), "no node is called 'n7'"),
        ((image, "--stages", "many"), "are no stages"),
        ((image, "--stages", "1"), "stages"),
    ):
        done = run("rollout", *arguments)
        assert done.exit_code == 2 or isinstance(done.exception, ParameterError | ArtifactError)
        assert why in done.output + str(done.exception)
    assert "no roll-out was ever begun" in run("status").output
    assert run("rollout", image, "n1").exit_code == 0
    assert "n1 is in roll-out 1, which is open" in run("rollout", image, "n1", "n2").output
    assert run("rollout", image, "n2").exit_code == 0


def _confirm_all(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        connection.execute(nodes.update().values(model=6, slot="confirmed"))
        connection.execute(rollout_members.update().values(state="confirmed", attempt=1, former_version=5))


def test_nodes_go_back_to_their_former_model_under_a_higher_version(
    run: Any, engine: sa.Engine, image: str, tmp_path: Path
) -> None:
    (tmp_path / "m5.image").write_bytes(model_image(5))
    (tmp_path / "key.pem").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (tmp_path / "public.pem").write_bytes(render_public_key(KEY.public_key()))
    assert run("rollout", str(tmp_path / "m5.image"), "--key", str(tmp_path / "public.pem")).exit_code == 0
    with writing(engine) as connection:
        step(connection, now_ns=_NOW_NS)
        connection.execute(sa.text("UPDATE rollouts SET phase = 'done'"))
    run("rollout", image)
    _confirm_all(engine)
    told = run("rollback", "2", "--why", "false alarms").output
    assert "raceway node resign" in told
    assert "--version 7" in told
    done = run("rollback", "2", "--why", "false alarms", "--key", str(tmp_path / "key.pem"))
    assert "roll-out 3 takes 3 nodes back to the model of version 5" in done.output
    with reading(engine) as connection:
        back = one_rollout(connection, 3)
    opened = open_image(back.image, keys=[KEY.public_key()])
    assert (back.kind, opened.manifest.version) == ("rollback", 7)
    assert opened.model == open_image(model_image(5), keys=[KEY.public_key()]).model
    signed = tmp_path / "again.image"
    named = ["resign", str(tmp_path / "m5.image"), "--key", str(tmp_path / "key.pem"), "--version", "9"]
    assert run(*named, "--output", str(signed), group="node").exit_code == 0
    assert open_image(signed.read_bytes(), keys=[KEY.public_key()]).manifest.version == 9


def test_the_page_names_commands_and_options_that_there_are() -> None:
    page = (Path(__file__).parents[2] / "docs" / "FLEET.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    raceway (fleet|node) (\w+)(.*)$", page, flags=re.MULTILINE)
    assert {name for group, name, _ in lines if group == "fleet"} == set(fleet.commands)
    for group, name, rest in lines:
        command = (fleet if group == "fleet" else node).commands[name]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in shlex.split(rest) if word.startswith("--")} <= options, name


def test_another_image_under_a_version_that_nodes_run_is_refused(run: Any, engine: sa.Engine, image: str) -> None:
    assert run("rollout", image).exit_code == 0
    _confirm_all(engine)
    with writing(engine) as connection:
        connection.execute(sa.text("UPDATE rollouts SET phase = 'done'"))
    assert run("rollout", image).exit_code == 0
    Path(image).write_bytes(model_image(6, model_bytes=6000))
    with writing(engine) as connection:
        connection.execute(sa.text("UPDATE rollouts SET phase = 'done'"))
    assert "runs version 6, the image has 6; sign it anew" in run("rollout", image).output


def test_orders_are_published_and_again_while_they_stand() -> None:
    said: list[tuple[str, bytes]] = []
    dispatcher = Dispatcher(lambda topic, payload: said.append((topic, payload)))
    order = Order("update", "plant/n/node", "rollout-1-1", 6, b"an image")
    for now_s in (0.0, 10.0, 30.0, 31.0):
        dispatcher.send([order], now_s=now_s)
    assert [topic for topic, _ in said] == ["raceway/v1/plant/n/node/update"] * 2
    assert read_update(said[0][1]).image == b"an image"
    dispatcher.send([], now_s=32.0)
    dispatcher.send([order], now_s=33.0)
    assert len(said) == 3
    confirm = publication_of(Order("confirm", "plant/n/node", "rollout-1-1", 6, b""))
    assert json.loads(confirm[1]) == {"v": 1, "id": "rollout-1-1", "kind": "update_confirm", "version": 6}

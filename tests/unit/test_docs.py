"""What the documents say is what the code does."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from app.access.oidc import oidc_user
from app.access.roles import RIGHTS, ROLES, User
from app.alarms.conditions import CONDITIONS
from app.alarms.register import FIRST_PRIORITY, PRIORITIES
from app.catalogue import render_catalogue
from app.cli import _COMMANDS
from app.codec import decode_about, decode_block
from app.console.pages import PAGES
from app.consolepage import READ, console_page
from app.gateway.translation import command_of
from app.labels.closing import answer_closing
from app.labels.closures import Closure, built_in_closures, load_closures
from app.labels.workorders import _body, ask
from app.metrics.measures import MEASURES
from app.modelspage import render_models
from app.results import render_results
from app.schema import alarms
from app.settings import Settings, load_settings
from app.store import PointRow, open_store, save_point, writing
from app.wire import PASSED_OVER, REASONS, SAID, parse_topic
from edge.node.link.messages import decode
from features.contract import FULL
from features.errors import ArtifactError
from features.iso20816 import LIMITS

_ROOT = Path(__file__).parents[2]
_PAGES = sorted(path.stem for path in (_ROOT / "docs").glob("*.md"))
_DOCUMENTS = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", *(f"docs/{page}.md" for page in _PAGES)]


def _text(name: str) -> str:
    return (_ROOT / name).read_text(encoding="utf-8")


def _fenced(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", _text(name), flags=re.DOTALL)


def test_the_readme_snippet_makes_an_admissible_block() -> None:
    (snippet,) = _fenced("README.md", "python")
    made: dict[str, object] = {}
    exec(compile(snippet, "README.md", "exec"), made)
    point, leaf = parse_topic(str(made["topic"]))
    assert leaf == "waveform"
    block = decode_block(bytes(made["payload"]), point=point)  # type: ignore[call-overload]
    assert block.n_samples == 4096
    assert block.physical().std() == pytest.approx(1.0, rel=0.1)


def test_the_protocol_examples_are_accepted() -> None:
    waveform, about, _, command = _fenced("docs/PROTOCOL.md", "json")
    point, _ = parse_topic("raceway/v1/a/b/c/waveform")
    assert decode_block(waveform.strip().encode(), point=point).samples.tolist() == [[12, -5, 40, 7]]
    described = decode_about(about.strip().encode(), point=point)
    assert (described.name, described.iso_group) == (json.loads(about)["name"], json.loads(about)["iso_group"])
    number, message = command_of(command.strip().encode())
    assert (number, decode(message)) == ("7", ("request_waveform", {"samples": 4096}))


def test_the_protocol_names_every_built_in_machine_group() -> None:
    (named,) = re.findall(r"^Built-in groups are (.*?);", _text("docs/PROTOCOL.md"), flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"`([\w-]+)`", named) == list(LIMITS)


def test_the_protocol_names_every_leaf() -> None:
    named = set(re.findall(r"^## `(\w+)`", _text("docs/PROTOCOL.md"), flags=re.MULTILINE))
    assert named == PASSED_OVER | SAID | {"waveform", "about"}


def test_the_table_of_reasons_is_the_codes() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", _text("docs/PROTOCOL.md"), flags=re.MULTILINE))
    assert {reason: rows.get(reason) for reason in REASONS} == REASONS


def test_the_table_of_figures_is_what_is_measured() -> None:
    rows = re.findall(
        r"^\| `(raceway_\w+)` \| (\w+) \| ([^|]*) \| ([^|]+) \|$", _text("docs/OPERATIONS.md"), flags=re.MULTILINE
    )
    assert [(name, kind, labels.strip(), meaning) for name, kind, labels, meaning in rows] == [
        (one.name, one.kind, ", ".join(one.labels), one.meaning) for one in MEASURES
    ]


def test_the_table_of_alarms_is_the_registers() -> None:
    rows = re.findall(r"^\| `([a-z ]+)` \| [^|]+ \| (\w+) \|$", _text("docs/ALARMS.md"), flags=re.MULTILINE)
    assert {tag: priority for tag, priority in rows if priority in PRIORITIES} == FIRST_PRIORITY


def test_the_table_of_closure_codes_is_the_built_in_one() -> None:
    rows = re.findall(
        r"^\| `([\w-]+)` \| (confirm|reject|note)(?: as (\w+))? \| (yes|no) \|$", _text("docs/LABELS.md"), re.M
    )
    said = {code: Closure(label, kind or None, repair == "yes") for code, label, kind, repair in rows}  # type: ignore[arg-type]
    assert said == built_in_closures()


def test_the_examples_of_work_orders_are_what_is_sent_and_taken(settings: Settings, tmp_path: Path) -> None:
    order, closing = (json.loads(example) for example in _fenced("docs/LABELS.md", "json"))
    engine, point = open_store(settings.database, migrate=True), order["point"]
    with writing(engine) as connection:
        save_point(connection, PointRow(point, order["name"]), new=True)
        raised = {name: order["alarm"][name] for name in ("raised_ns", "cleared_ns", "ratio", "kind")}
        connection.execute(alarms.insert().values(point_id=point, window_start_ns=0, **raised))
        user = User(order["asked_by"], "operator")
        asked = ask(connection, user, point, alarm_id=1, why=order["why"], now_ns=order["asked_ns"])
        assert _body(connection, asked) == order | {"key": asked.key}
    token = settings.model_copy(update={"workorder_token": "t"})
    sent = json.dumps(closing | {"key": asked.key}).encode()
    status, answer = answer_closing(engine, token, authorization="Bearer t", body=sent, now_ns=order["asked_ns"])
    assert (status, answer["labels"]) == (200, ["confirm", "repair"])
    (table,) = _fenced("docs/LABELS.md", "toml")
    (tmp_path / "codes.toml").write_text(table, encoding="utf-8")
    assert load_closures(tmp_path / "codes.toml") == {"Z-0815": Closure("confirm", "inner", repair=True)}


def test_the_table_of_roles_is_the_codes() -> None:
    head, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in _text("docs/ACCESS.md").splitlines()
        if line.startswith("| ") and "---" not in line
    )
    assert tuple(head[1:]) == ROLES
    assert {row[0] for row in rows} == RIGHTS["admin"]
    for right, *marks in rows:
        assert [mark == "yes" for mark in marks] == [right in RIGHTS[role] for role in ROLES]


def test_the_examples_of_single_sign_on_are_admissible(settings: Settings, tmp_path: Path) -> None:
    secrets, ours = _fenced("docs/ACCESS.md", "toml")
    assert {"redirect_uri", "cookie_secret", "client_id", "server_metadata_url"} <= set(tomllib.loads(secrets)["auth"])
    Path("raceway.toml").write_text(ours, encoding="utf-8")
    found = load_settings(data_dir=tmp_path)
    claims = {"email": "kim@example.org", "groups": ["/plant/operators"]}
    user = oidc_user(claims, claim=found.oidc_claim, roles=found.oidc_roles)
    assert (user, settings.oidc_claim) == (User("kim@example.org", "operator"), "email")


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_commands_and_targets_exist(name: str) -> None:
    text = _text(name)
    targets = set(re.findall(r"^([a-z]+):", _text("Makefile"), flags=re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", text)) <= targets
    assert set(re.findall(r"`raceway ([a-z]+)", text)) <= set(_COMMANDS)


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_named_files_exist(name: str) -> None:
    for path in re.findall(r"`((?:app|docs|edge|features|models|tests|requirements)/[\w/.-]*)`", _text(name)):
        assert (_ROOT / path).exists(), path


def test_the_alarm_options_are_those_of_the_code_with_their_defaults() -> None:
    text, plant = _text("docs/ALARMS.md"), Settings().conditions()
    rows = re.findall(r"^\| `(\w+)` \| ([\w.]+) \| ", text, flags=re.MULTILINE)
    assert dict(rows) == {
        name: f"{value:.10g}" if kind is not str else value
        for name, kind in CONDITIONS.items()
        for value in [getattr(plant, name)]
    }
    (snippet,) = _fenced("docs/ALARMS.md", "yaml")
    assert plant.changed(yaml.safe_load(snippet)["alarming"]).severity == "D"


def test_the_results_page_is_rendered_from_the_measured_files() -> None:
    assert render_results(_ROOT / "docs/results") == _text("docs/RESULTS.md")


def test_the_console_page_is_rendered_and_its_pictures_are_there_and_small() -> None:
    text = _text("docs/CONSOLE.md")
    assert console_page(_ROOT / "docs/results/console.json") == text
    pictures = re.findall(r"\]\((console/[\w.]+)\)", text)
    assert [Path(picture).stem for picture in pictures] == [listed.page for listed in PAGES] == list(READ)
    assert all(1_000 < (_ROOT / "docs" / picture).stat().st_size < 150_000 for picture in pictures)


def test_no_page_of_the_console_reported_an_error_and_slow_ones_are_named() -> None:
    rows = json.loads(_text("docs/results/console.json"))["pages"]
    assert [row["page"] for row in rows] == [listed.page for listed in PAGES]
    assert [row for row in rows if row["errors"]] == []
    slow = {row["page"] for row in rows if row["first_ms"] >= 2000 or row["interact_ms"] >= 1000}
    (said,) = re.findall(r"(?:Above it: (.*)|No median is above it)\.$", _text("docs/CONSOLE.md"), flags=re.MULTILINE)
    assert set(re.findall(r"(\w+) \(", said)) == slow


def test_the_features_page_is_rendered_from_the_lists() -> None:
    assert render_catalogue() == _text("docs/FEATURES.md")


def test_the_models_page_is_rendered_from_the_registry() -> None:
    assert render_models() == _text("docs/MODELS.md")


def test_a_damaged_results_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ingest.json").write_text('{"blocks_per_s": 1.0}')
    with pytest.raises(
        ArtifactError, match=r"ingest.json cannot be shown .* measure again with `raceway bench ingest`"
    ):
        render_results(tmp_path)


def test_the_number_of_features_is_counted() -> None:
    assert f"- {len(FULL.features)} features" in _text("CHANGELOG.md")

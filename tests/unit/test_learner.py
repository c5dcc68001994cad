"""The learner lets a draft of the fault-kind network serve until the final one is there."""

from __future__ import annotations

from app.learner import baseline_name, train_diagnosis
from app.settings import Settings
from app.store import bundle_of, open_store, reading
from features.faultmap import MAP_HASH
from models.bundle import load_bundle
from models.serving import Diagnoser


def test_a_draft_serves_until_the_final_network_is_there(settings: Settings) -> None:
    engine = open_store(settings.database, migrate=True)
    served: list[str | None] = []

    def look(_: int) -> None:
        with reading(engine) as connection:
            served.append(bundle_of(connection, "diagnosis"))

    final = train_diagnosis(engine, settings, now_ns=0, n=1200, epochs=1, draft=500, on_window=look, on_epoch=look)
    draft = f"draft-{final.removeprefix('diagnosis-')}"
    assert served == [None, draft, draft, draft]
    with reading(engine) as connection:
        assert bundle_of(connection, "diagnosis") == final
    for bundle, windows in ((draft, 500), (final, 1200)):
        loaded = load_bundle(settings.bundles / bundle)
        assert loaded.manifest.provenance["windows"] == windows
        assert Diagnoser(loaded, contract=MAP_HASH).classes == ("normal", "inner", "outer", "ball")


def test_no_two_points_have_a_bundle_of_one_name() -> None:
    long = "ä" * 64
    points = [
        "plant/line-1/pump",
        "plant/line/1-pump",
        "plant-line/1/pump",
        f"{long}/{long}/{long}",
        f"{long}/{long}/ä",
    ]
    names = {baseline_name(point, "20261126T033000000000") for point in points}
    assert len(names) == len(points)
    assert max(len(name.encode()) for name in names) <= 200

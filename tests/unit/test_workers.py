"""Workers run on one thread each unless the user says otherwise, leave the environment alone, and pass failures on."""

from __future__ import annotations

import os

import pytest

from app.workers import workers

_NAME = "TF_NUM_INTRAOP_THREADS"


@pytest.mark.parametrize(("own", "wanted"), [(None, "1"), ("2", "2")])
def test_workers_have_one_thread_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, own: str | None, wanted: str
) -> None:
    monkeypatch.delenv(_NAME, raising=False)
    if own is not None:
        monkeypatch.setenv(_NAME, own)
    with workers(2) as pool:
        found = [pool.submit(os.getenv, _NAME).result() for _ in range(4)]
        others = {pool.submit(os.getpid).result() for _ in range(4)}
    assert found == [wanted] * 4
    assert os.getpid() not in others
    assert os.environ.get(_NAME) == own


def test_what_fails_in_a_worker_fails_here() -> None:
    with pytest.raises(ValueError, match="invalid literal"), workers(1) as pool:
        pool.submit(int, "three").result()

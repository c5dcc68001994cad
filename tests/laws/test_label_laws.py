"""What holds of labels depends on the order in which they were given, and on nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.labels.records import LABELS, VERDICTS, Label, holding


@st.composite
def _given(draw: st.DrawFn) -> list[Label]:
    count = draw(st.integers(0, 12))
    made = []
    for i in range(count):
        alarm_id = draw(st.sampled_from([None, 1, 2]))
        first_ns = draw(st.integers(0, 2))
        kind = draw(st.sampled_from(LABELS))
        named = "inner" if kind == "rename" else None
        point = draw(st.sampled_from(["a/b/c", "a/b/d"]))
        # Several may be given in the same moment; an alarm grows longer between two of them.
        at_ns = draw(st.integers(0, 3))
        made.append(Label(i, point, kind, at_ns, first_ns, first_ns + 1, alarm_id=alarm_id, named=named))
    return made


@given(_given(), st.randoms())
def test_any_order_of_labels_comes_to_the_same(made, random) -> None:  # type: ignore[no-untyped-def]
    mixed = list(made)
    random.shuffle(mixed)
    assert holding(mixed) == holding(made)


@given(_given())
def test_what_holds_is_what_nothing_later_speaks_against(made: list[Label]) -> None:
    def overruled(label: Label) -> bool:
        later = [other for other in made if (other.at_ns, other.id) > (label.at_ns, label.id)]
        return label.kind in VERDICTS and any(
            other.kind in VERDICTS
            and other.point_id == label.point_id
            and other.alarm_id == label.alarm_id
            and (label.alarm_id is not None or (other.first_ns, other.last_ns) == (label.first_ns, label.last_ns))
            for other in later
        )

    held = holding(made)
    assert held == holding(held)
    assert {label.id for label in held} == {label.id for label in made if not overruled(label)}


@given(_given(), st.sampled_from(VERDICTS))
def test_the_last_word_holds_whatever_was_said_before(made: list[Label], kind) -> None:  # type: ignore[no-untyped-def]
    last = Label(99, "a/b/c", kind, 9, 0, 1, alarm_id=1, named="ball" if kind == "rename" else None)
    held = [label for label in holding([last, *made]) if label.subject == last.subject and label.kind in VERDICTS]
    assert held == [last]

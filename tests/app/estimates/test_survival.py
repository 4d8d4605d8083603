from fractions import Fraction

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.estimates.survival import CONVERSION, ENDINGS, conversion

COLUMNS = ["stage_id", "stage", "color", "position", "days", "ending", "stays"]
stays = st.tuples(st.integers(0, 40), st.sampled_from([*ENDINGS, "open"]), st.integers(1, 9))


def ends(rows: list[tuple[int, str, int]], stage: str = "Proposal", position: int = 3) -> pd.DataFrame:
    return pd.DataFrame([(stage, stage, "#000000", position, *row) for row in rows], columns=COLUMNS)


def test_a_case_computed_by_hand() -> None:
    # 10 at risk after 2 days: 1 lost, 9/10 stay. 9 after 3: 2 go on, 7/9 of 9/10 stay, and 1 is seen no longer.
    # 6 after 5: 1 won, 1 back, 4/6 of 7/10 stay. The other 4 are still here after 8.
    found = conversion(
        ends([(2, "lost", 1), (3, "forward", 2), (3, "open", 1), (5, "won", 1), (5, "back", 1), (8, "open", 4)])
    ).iloc[0]
    assert found["entries"] == 10
    assert found["open"] == 5
    assert found["converted"] == pytest.approx(0.9 * 2 / 9 + 0.7 / 6)
    assert found["lost"] == pytest.approx(0.1)
    assert found["back"] == pytest.approx(0.7 / 6)
    assert found["undecided"] == pytest.approx(0.7 * 4 / 6)


def test_ended_stays_alone_would_say_too_little() -> None:
    # Losses come early: of the two that ended, one was lost. The eight that are still here have outlived that.
    found = conversion(ends([(1, "lost", 1), (20, "forward", 1), (19, "open", 8)])).iloc[0]
    assert found["converted"] == pytest.approx(0.9)


def test_a_stage_where_nothing_has_ended_has_entries_and_no_shares() -> None:
    found = conversion(ends([(4, "open", 3)]))
    assert found["entries"].tolist() == [3]
    assert found[["converted", "lost", "back", "undecided"]].isna().all(axis=None)


def test_no_stays_are_no_rows_with_the_same_columns() -> None:
    found = conversion(ends([]))
    assert found.empty
    assert list(found.columns) == list(CONVERSION)
    assert found.dtypes.astype(str).to_dict() == {name: unit.dtype for name, unit in CONVERSION.items()}


def test_stages_come_in_pipeline_order_and_apart_by_id() -> None:
    two = [ends([(1, "forward", 1)], "Second", 2), ends([(1, "lost", 1)], "First", 1)]
    assert conversion(pd.concat(two))["stage"].tolist() == ["First", "Second"]


@given(st.lists(stays, min_size=1))
def test_the_shares_add_up_to_one(rows: list[tuple[int, str, int]]) -> None:
    found = conversion(ends(rows)).iloc[0]
    if any(ending != "open" for _, ending, _ in rows):
        shares = found[["converted", "lost", "back", "undecided"]].astype(float)
        assert shares.sum() == pytest.approx(1)
        assert ((shares > -1e-9) & (shares < 1 + 1e-9)).all()


@given(st.lists(stays, min_size=1))
def test_without_open_stays_it_is_the_plain_share(rows: list[tuple[int, str, int]]) -> None:
    ended = [row for row in rows if row[1] != "open"]
    if ended:
        on = sum(number for _, ending, number in ended if ending in ("forward", "won"))
        found = conversion(ends(ended)).iloc[0]
        assert found["converted"] == pytest.approx(on / sum(number for *_, number in ended))


@given(st.lists(stays, min_size=1))
def test_one_stay_after_the_other_comes_to_the_same(rows: list[tuple[int, str, int]]) -> None:
    people = [(days, ending) for days, ending, number in rows for _ in range(number)]
    staying, converted = Fraction(1), Fraction(0)
    for day in sorted({days for days, _ in people}):
        at_risk = [ending for days, ending in people if days >= day]
        here = [ending for days, ending in people if days == day and ending != "open"]
        converted += staying * Fraction(sum(ending in ("forward", "won") for ending in here), len(at_risk))
        staying *= 1 - Fraction(len(here), len(at_risk))
    if any(ending != "open" for _, ending in people):
        found = conversion(ends(rows)).iloc[0]
        assert found["converted"] == pytest.approx(float(converted))
        assert found["undecided"] == pytest.approx(float(staying))


@given(st.lists(stays, min_size=1), st.lists(stays, min_size=1))
def test_one_stage_says_nothing_about_another(
    rows: list[tuple[int, str, int]], others: list[tuple[int, str, int]]
) -> None:
    both = conversion(pd.concat([ends(rows), ends(others, "Other", 4)]))
    pd.testing.assert_frame_equal(both.iloc[:1], conversion(ends(rows)))

"""The lists of records, over a company of four organizers."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Connection

from app.fields import NOUNS
from app.viewer import Viewer
from queries import records, search
from queries.records import LISTINGS, Wanted
from tests.personas import PERSONAS
from tests.tables import given, id_of

List = Callable[..., pd.DataFrame]
LOOKING = [name for name, persona in PERSONAS.items() if persona.role and persona.is_active]
WORD = "Muller"
IN_DOLLARS = {"currency": "CAD", "on_day": date(2025, 11, 1)}


@pytest.fixture
def company(owner: Connection) -> Connection:
    """Every table of a list, with Müller in every name, for Rita, Ravi, Olaf and nobody."""
    given(owner, "crm_organizers", """
        id    | company_name  | status   | company_size | assigned_to | tags
        acme  | Müller & Acme | active   | large        | rita        | {vip,summer}
        birch | müller Birch  | prospect | small        | ravi        | {}
        elm   | Élan Müller   | active   | enterprise   | olaf        | {}
        fir   | Fir Muller    | archived |              |             | {}
    """)  # fmt: skip
    given(owner, "crm_contacts", """
        id  | organizer_id | last_contact_date   | full_name  | email         | is_decision_maker
        ann | acme         | 2025-01-02 12:00+00 | Ann Müller | ann@a.example | true
        bea | birch        |                     | Bea Müller | bea@b.example | false
        éva | elm          | 2025-01-01 12:00+00 | Éva Müller | eva@e.example | false
    """)  # fmt: skip
    given(owner, "crm_opportunities", """
        id    | organizer_id | name             | stage_id    | assigned_to | expected_close_date | value  | currency
        gala  | acme         | Gala 100% Müller | Proposal    | rita        | 2025-12-01          | 500.50 | CAD
        expo  | acme         | Expo_2026 Müller | Negotiation | ravi        |                     | 20     | EUR
        fair  | birch        | Fair Müller      | Lead        | ravi        | 2025-11-01          | 500.50 | CAD
        party | elm          | Party Müller     | Won         | rita        | 2025-10-01          | 7      | CAD
        lost  | fir          | Müller lost      | Lead        |             | 2025-10-01          | 1      | CAD
    """)  # fmt: skip
    given(owner, "crm_activities", """
        organizer_id | subject        | type | user_id | activity_date
        acme         | Call Müller    | call | rita    | 2025-11-02 03:30+00
        acme         | Call of Olaf Müller | call | olaf | 2025-11-02 05:30+00
        elm          | Müller mail    | email | olaf   | 2025-11-03 12:00+00
    """)  # fmt: skip
    given(owner, "crm_notes", """
        organizer_id | title  | content          | created_by
        acme         | Müller | Likes jazz       | rita
        elm          |        | Müller hates it  | olaf
    """)  # fmt: skip
    given(owner, "crm_documents", """
        organizer_id | file_name          | file_type       | file_size | storage_path | uploaded_by
        acme         | Müller_offer.v1.pdf | application/pdf | 10        | a            | rita
        birch        | Müller.pdf         | application/pdf | 20        | b            | ravi
    """)  # fmt: skip
    given(owner, "crm_email_templates", """
        name           | subject | body_html
        Hello Müller   | Hi      | <p>Hi</p>
    """)  # fmt: skip
    given(owner, "crm_targets", """
        user_id | period_start | amount
        rita    | 2025-10-01   | 100
        ravi    | 2025-10-01   | 50
        olaf    | 2025-07-01   | 70
    """)  # fmt: skip
    return owner


@pytest.fixture
def listed(reading_as: Callable[..., AbstractContextManager[Connection]], viewer: Callable[..., Viewer]) -> List:
    """listed("rita", "opportunity", words="…", limit=2): the rows of her list, asked as the page asks."""

    def listed(who: str, noun: str, limit: int = 50, offset: int = 0, **wanted: Any) -> pd.DataFrame:
        asked = Wanted(**{"order": LISTINGS[noun].order, "limited_to": viewer(who).team, **IN_DOLLARS} | wanted)
        with reading_as(who) as db:
            return records.rows_of(NOUNS[noun])(db, asked, limit=limit, offset=offset)

    return listed


def named(rows: pd.DataFrame, noun: str = "opportunity") -> list[str]:
    return [str(name) for name in rows[NOUNS[noun].named_by]]


@pytest.mark.parametrize("who", LOOKING)
def test_every_list_has_the_rows_of_the_policy(
    company: Connection, viewer: Callable[..., Viewer], reading_as: Callable[..., AbstractContextManager[Connection]],
    who: str,
) -> None:  # fmt: skip
    """Also searched for the word that all of them hold."""
    with reading_as(who) as db:
        for name, listing in LISTINGS.items():
            table = NOUNS[name].table
            shown = {str(key) for key in db.scalars(table.select().with_only_columns(table.c.id))}
            for words in ("", WORD) if listing.searched else ("",):
                wanted = Wanted(listing.order, words=words, limited_to=viewer(who).team, **IN_DOLLARS)
                assert set(records.rows_of(NOUNS[name])(db, wanted)["id"]) == shown, (name, words)
                assert records.count_of(NOUNS[name])(db, wanted)["rows"].tolist() == [len(shown)], (name, words)


def test_every_column_has_an_order(
    company: Connection, reading_as: Callable[..., AbstractContextManager[Connection]]
) -> None:
    """What is empty comes last, up and down."""
    with reading_as("eve") as db:
        for name in LISTINGS:
            for field in records.fields(NOUNS[name]):
                rows = records.rows_of(NOUNS[name])(db, Wanted(field.name, descending=field.name > "m", **IN_DOLLARS))
                is_empty = rows[field.name].isna().tolist()
                assert rows["id"].is_unique
                assert is_empty == sorted(is_empty), field.name


def test_the_search_box_finds_what_the_policies_show(
    company: Connection, reading_as: Callable[..., AbstractContextManager[Connection]]
) -> None:
    expected = {"rita": 3 + 1 + 1 + 1 + 2 + 1 + 1, "olaf": 1 + 1 + 1 + 1 + 2 + 1, "eve": 4 + 3 + 5 + 1 + 3 + 2 + 2}
    for who, number in expected.items():
        with reading_as(who) as db:
            found = search.found(db, "muller", (*search.NAMES, *search.TEXTS))
        assert len(found) == number, who
        in_order = ["organizer", "contact", "opportunity", "template", "activity", "note", "document"]
        assert found["noun"].drop_duplicates().tolist() == [noun for noun in in_order if noun in set(found["noun"])]
    with reading_as("eve") as db:
        assert search.found(db, "gala", search.NAMES)[["noun", "name", "organizer"]].values.tolist() == [
            ["opportunity", "Gala 100% Müller", "Müller & Acme"]
        ]
        assert search.found(db, "gaala", search.NAMES).empty
        assert search.found(db, "gaala", search.NAMES, alike=True)["name"].tolist() == ["Gala 100% Müller"]


def test_rows_carry_what_their_references_are_called(company: Connection, listed: List, shows: Any) -> None:
    rows = listed("rita", "opportunity", order="name")
    columns = ["name", "organizer_id", "stage_id", "value", "currency", "probability", "assigned_to"]
    shows(rows[columns], """
        name             | organizer_id  | stage_id    | value  | currency | probability | assigned_to
        Expo_2026 Müller | Müller & Acme | Negotiation | 20.00  | EUR      | 75          | Ravi
        Gala 100% Müller | Müller & Acme | Proposal    | 500.50 | CAD      | 50          | Rita
        Party Müller     |               | Won         | 7.00   | CAD      | 100         | Rita
    """)  # fmt: skip


@pytest.mark.parametrize(("noun", "order", "names"), [
    ("organizer", "company_name", ["Élan Müller", "Fir Muller", "Müller & Acme", "müller Birch"]),
    ("organizer", "company_size", ["müller Birch", "Müller & Acme", "Élan Müller", "Fir Muller"]),
    ("organizer", "assigned_to", ["Élan Müller", "müller Birch", "Müller & Acme", "Fir Muller"]),
    ("opportunity", "stage_id", ["Fair Müller", "Müller lost", "Gala 100% Müller", "Expo_2026 Müller", "Party Müller"]),
    ("opportunity", "expected_close_date",
     ["Müller lost", "Party Müller", "Fair Müller", "Gala 100% Müller", "Expo_2026 Müller"]),
    ("contact", "last_contact_date", ["Éva Müller", "Ann Müller", "Bea Müller"]),
])  # fmt: skip
def test_orders_as_people_would(company: Connection, listed: List, noun: str, order: str, names: list[str]) -> None:
    """Without case and accents, sizes and stages by their place, what is empty last."""
    found = named(listed("eve", noun, order=order), noun)
    if order in ("stage_id", "expected_close_date"):  # equals in any order, but always the same
        assert sorted(found[:2]) == sorted(names[:2])
        assert found[2:] == names[2:]
    else:
        assert found == names


def test_pages_hold_every_row_once(company: Connection, listed: List) -> None:
    given(company, "crm_exchange_rates", "currency | rate_date  | rate\nEUR      | 2025-01-01 | 1")
    for descending in (False, True):
        pages = [listed("eve", "opportunity", 2, offset, order="value", descending=descending) for offset in (0, 2, 4)]
        ids = [key for page in pages for key in page["id"]]
        assert len(ids) == len(set(ids)) == 5
        values = [value for page in pages for value in page["value"]]
        assert values == sorted(values, reverse=descending)


@pytest.mark.parametrize(("wanted", "names"), [
    ({"words": "100%"}, ["Gala 100% Müller"]), ({"words": "expo_2026"}, ["Expo_2026 Müller"]), ({"words": "%"}, []),
    ({"words": "_"}, []), ({"words": "\\"}, []), ({"words": "x' OR '1'='1"}, []),
    ({"words": "gala MULL"}, ["Gala 100% Müller"]), ({"words": "gaala"}, ["Gala 100% Müller"]),
    ({"among": (("status", ("won",)),)}, ["Party Müller"]),
    ({"among": (("assigned_to", (PERSONAS["rita"].id, None)),)}, ["Gala 100% Müller", "Müller lost", "Party Müller"]),
    ({"between": (("value", Decimal(7), Decimal("500.49")),)}, ["Expo_2026 Müller", "Party Müller"]),
    ({"between": (("value", Decimal("500.50"), None),)}, ["Fair Müller", "Gala 100% Müller"]),
    ({"between": (("expected_close_date", None, date(2025, 10, 31)),)}, ["Müller lost", "Party Müller"]),
    ({"words": "muller", "among": (("currency", ("EUR",)),)}, ["Expo_2026 Müller"]),
    ({"among": (("organizer_id", (id_of("birch"),)),)}, ["Fair Müller"]),
])  # fmt: skip
def test_filters(company: Connection, listed: List, wanted: dict[str, Any], names: list[str]) -> None:
    rows = listed("eve", "opportunity", order="name", **wanted)
    assert named(rows) == names
    assert rows["is_similar"].tolist() == [wanted.get("words") == "gaala"] * len(names)


def test_a_moment_s_day_is_the_organisation_s(company: Connection, listed: List) -> None:
    """Toronto put its clocks back on 2 November 2025; the first call was on the evening of the first."""
    day = date(2025, 11, 2)
    asked = {"between": (("activity_date", day, day),), "time_zone": "America/Toronto"}
    assert named(listed("eve", "activity", **asked), "activity") == ["Call of Olaf Müller"]


@pytest.mark.parametrize("order", ["value", "expected_revenue"])
def test_amounts_are_ordered_by_what_they_are_worth(company: Connection, listed: List, order: str) -> None:
    """20 euros are 30 dollars and 900 yen are 9 on the day; of dinars nobody knows. Shown is what was entered."""
    given(company, "crm_exchange_rates", """
        currency | rate_date  | rate
        EUR      | 2025-11-01 | 1.50
        EUR      | 2025-11-02 | 0.01
        JPY      | 2025-10-01 | 0.01
    """)  # fmt: skip
    given(company, "crm_opportunities", """
        organizer_id | name | stage_id | value | currency
        elm          | Yen   | Lead    | 900   | JPY
        elm          | Dinar | Lead    | 9000  | KWD
    """)  # fmt: skip
    company.exec_driver_sql("update crm_opportunities set probability = 10 where status = 'open'")
    rows = listed("eve", "opportunity", order=order, descending=True, among=(("status", ("open",)),))
    assert rows["currency"].tolist() == ["CAD", "CAD", "EUR", "JPY", "CAD", "KWD"]
    assert rows["value"].tolist()[2:] == [Decimal(20), Decimal(900), Decimal(1), Decimal(9000)]
    turned = listed("eve", "opportunity", order=order, among=(("status", ("open",)),))
    assert turned["currency"].tolist() == ["CAD", "JPY", "EUR", "CAD", "CAD", "KWD"]


def test_long_texts_are_cut_on_a_page_and_whole_in_a_file(
    company: Connection, reading_as: Callable[..., AbstractContextManager[Connection]]
) -> None:
    company.exec_driver_sql("update crm_notes set content = repeat('a', 1000)")
    asked = Wanted("created_at", **IN_DOLLARS)
    with reading_as("eve") as db:
        question = records.rows_of(NOUNS["note"])
        assert set(question(db, asked, excerpts=True)["content"].str.len()) == {300}
        assert set(question(db, replace(asked), limit=9)["content"].str.len()) == {1000}

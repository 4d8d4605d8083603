"""Search finds what is written, however it is typed, shows what the policies show, and asks the indexes."""

# ruff: noqa: E501 (tables are read across)

from uuid import UUID

import psycopg
import pytest

from tests.personas import PERSONAS
from tests.schema.session import Session, Statements
from tests.tables import id_of


@pytest.fixture
def found(db: Session) -> Session:
    """Things of Rita's and things of Olaf's, in the same words."""
    for owner in ("rita", "olaf"):
        db.insert(
            "crm_organizers", id=f"{owner}'s", company_name=f"Événements Müller-Lüdenscheidt {owner}", assigned_to=owner
        )
        db.insert(
            "crm_contacts",
            organizer_id=f"{owner}'s",
            full_name="Zoë O'Brien",
            email=f"zoe@{owner}.example",
            title="Müller's boss",
        )
        db.insert("crm_opportunities", organizer_id=f"{owner}'s", name="Müller gala", description="100% café", stage_id="Lead",
                  value=1, assigned_to=owner)  # fmt: skip
        db.insert("crm_activities", organizer_id=f"{owner}'s", type="call", subject="Called Müller", user_id=owner)
        db.insert("crm_notes", organizer_id=f"{owner}'s", content="Müller likes jazz", created_by=owner)
        db.insert("crm_documents", organizer_id=f"{owner}'s", file_name="offer_Müller-2026.v2.pdf", file_type="application/pdf",
                  file_size=1, storage_path=f"{owner}.pdf", uploaded_by=owner)  # fmt: skip
    return db


def _search(db: Statements, words: str, most: int = 50) -> list[str]:
    """The tables of what is found, one for each record, templates left out: they are everybody's."""
    found = db.rows("select table_name from app.search(%s, %s, most => %s)", words, EVERYWHERE, most)
    return sorted(row.table_name for row in found)


EVERYWHERE = [
    "crm_activities", "crm_contacts", "crm_documents", "crm_notes", "crm_opportunities", "crm_organizers",
]  # fmt: skip
ALL = [*EVERYWHERE, "crm_email_templates"]


@pytest.mark.parametrize(("words", "tables"), [
    ("muller", EVERYWHERE), ("MÜLLER", EVERYWHERE), ("müll", EVERYWHERE), ("  müller  ", EVERYWHERE),
    ("muller ev", ["crm_organizers"]), ("ev muller", ["crm_organizers"]), ("ludenscheidt", ["crm_organizers"]),
    ("müller-lüdenscheidt", ["crm_organizers"]), ("gala muller", ["crm_opportunities"]), ("cafe", ["crm_opportunities"]),
    ("zoe@rita.example", ["crm_contacts"]), ("o'brien", ["crm_contacts"]), ("boss", ["crm_contacts"]), ("jazz", ["crm_notes"]),
    ("offer", ["crm_documents"]), ("2026 v2", ["crm_documents"]), ("offer_Müller-2026.v2.pdf", ["crm_documents"]),
    ("muller nothing", []), ("", []), (" ", []), ("%", []), ("_", []), ("*", []), ("\\", []), ("'", []), ("!muller", EVERYWHERE),
    ("muller | nothing", []), ("muller & gala", ["crm_opportunities"]), (":*", []), ("(", []), ("x' or '1'='1", []), ("a:b<->c", []),
    ("'; drop table crm_notes; --", []), ("100%", ["crm_opportunities"]), ("é" * 5000, []),
])  # fmt: skip
def test_finds_all_words_and_takes_none_for_an_operator(found: Session, words: str, tables: list[str]) -> None:
    with found.acting("rita"):
        assert _search(found, words) == tables


@pytest.mark.parametrize("name", PERSONAS)
def test_shows_what_the_policies_show(found: Session, name: str) -> None:
    """Every row of the tables holds the word, so what is found is what the policy shows."""
    found.insert("crm_email_templates", name="Müller", subject="Hello", body_html="Hello")
    found.insert("crm_opportunities", organizer_id="olaf's", name="Müller of Ravi", stage_id="Lead", value=1,
                 assigned_to="ravi")  # fmt: skip
    found.insert("crm_activities", organizer_id="rita's", type="call", subject="Müller by Olaf", user_id="olaf")
    found.insert("crm_organizers", company_name="Müller of nobody")
    with found.acting(name):
        for table in ALL:
            shown = _ids(found, f"select id from {table}")
            assert _ids(found, "select record_id from app.matches(%s, 'muller')", table) == shown, table
            assert _ids(found, "select record_id from app.search('muller', %s, most => 50)", [table]) == shown, table
            assert _ids(found, "select record_id from app.search('muler', %s, true, 50)", [table]) <= shown, table


def _ids(db: Statements, statement: str, *values: object) -> set[UUID]:
    return {which for (which,) in db.rows(statement, *values)}


def test_tells_nobody_anything(found: Session) -> None:
    with found.acting("rita"):
        found.bind(None)
        for statement in ("select app.matches('crm_notes', 'muller')", "select app.search('muller', '{crm_notes}')"):
            with found.refused(psycopg.errors.InsufficientPrivilege, "Nobody is signed in"):
                found.run(statement)


def test_finds_a_name_with_a_slip_where_nothing_holds_the_word(found: Session) -> None:
    found.insert("crm_email_templates", name="Müller", subject="Hello", body_html="Hello")
    is_compared = found.one("select to_regprocedure('public.word_similarity(text, text)') is not null")
    named = {"crm_organizers", "crm_opportunities", "crm_documents", "crm_email_templates"}
    with found.acting("rita"):
        for table in ALL:
            matches = found.rows("select is_similar from app.matches(%s, 'Lüdenscheid muler')", table)
            assert matches == ([(True,)] if is_compared and table == "crm_organizers" else []), table
            alike = found.rows("select * from app.search('muler', %s, true)", [table])
            assert len(alike) == (is_compared and table in named), table
        assert len(found.rows("select * from app.search('zoe brienn', '{crm_contacts}', true)")) == is_compared
        assert found.rows("select is_similar from app.matches('crm_organizers', 'muller')") == [(False,)]
        assert found.rows("select * from app.matches('crm_organizers', 'entirely different')") == []


def test_shows_a_deal_to_its_owner_and_to_its_organizer_s(found: Session) -> None:
    found.insert(
        "crm_opportunities",
        id="split",
        organizer_id="olaf's",
        name="Split",
        stage_id="Lead",
        value=1,
        assigned_to="rita",
    )
    found.insert("crm_activities", id="split call", organizer_id="olaf's", type="call", subject="Split", user_id="rita")
    for name, count in [("rita", 2), ("olaf", 2), ("ravi", 0)]:
        with found.acting(name):
            assert len(_search(found, "split")) == count, name


def test_gives_at_most_so_many_of_each_table(found: Session) -> None:
    with found.acting("eve"):
        assert _search(found, "muller", most=1) == EVERYWHERE


def test_asks_the_indexes(found: Session) -> None:
    """As the viewer, under the policies, @@ would read every row."""
    found.run(
        "insert into crm_organizers (company_name, assigned_to) select 'Company ' || number, assigned_to"
        " from generate_series(1, 3000) as number, crm_organizers where id = %s", id_of("rita's"),
    )  # fmt: skip
    found.run("analyze crm_organizers")
    with found.acting("rita"):
        assert len(found.rows("select * from app.matches('crm_organizers', '2999')")) == 1
        before = _scans(found)
        assert len(found.rows("select * from app.matches('crm_organizers', '2998')")) == 1
        assert _scans(found) == before
        found.rows(
            "select * from crm_organizers where to_tsvector('simple', app.fold(company_name)) @@ to_tsquery('simple', '2998')"
        )
        assert _scans(found) == before + 1


def _scans(db: Statements) -> int:
    """How often this transaction has read all of the organizers."""
    return db.one("select pg_stat_get_xact_numscans('crm_organizers'::regclass)")

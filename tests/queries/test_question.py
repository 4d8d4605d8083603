"""What holds for every question, whatever it asks."""

import ast
import inspect
import pkgutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from importlib import import_module
from typing import Any
from uuid import UUID

import pandas as pd
import psycopg
import pytest
import sqlalchemy as sa
from pandas.testing import assert_frame_equal
from sqlalchemy import Connection

import queries
from app.settings import Settings
from queries import pipeline
from queries.history import Changes
from queries.question import Question, question
from queries.scope import Scope
from queries.units import DTYPES, count, text
from tests.conftest import Once
from tests.personas import PERSONAS
from tests.queries.conftest import TODAY, owned_by, scope_of
from tests.queries.history import happens
from tests.tables import given, id_of

ReadingAs = Callable[..., AbstractContextManager[Connection]]

# They depend on who looks and on no filter.
WITHOUT_SCOPE = {
    "queries.pipeline.choices",
    "queries.saved_views.saved_views",
    "queries.forecast.thresholds",
    "queries.stages.set_up",
    "queries.stages.held",
    "queries.stages.template_names",
    "queries.stages.changes_made",
    *(
        f"queries.history.{name}"
        for name in (
            *("of_record", "of_change", "changes", "people"),
            *("goes_along", "duplicates", "drafts", "draft"),
        )
    ),
    *(f"queries.documents.{name}" for name in ("document", "versions")),
    *(f"queries.templates.{name}" for name in ("preview", "letters", "letter", "letter_counts", "switches")),
    "queries.records.offered",
    "queries.search.found",
    *(
        f"queries.record.{name}"
        for name in (
            *("one", "several", "names", "matches", "people", "people_offered", "stages_offered", "related"),
            "target_amounts",
        )
    ),
}
# What people have set is there before anything has happened.
SETTINGS = ["default_probability", "set_probability", "commit_from", "best_case_from"]
NASTY = r"""50 %s\d, "Löwe" & 'Söhne' :x {y} -- $1"""
EVERY_FILTER = scope_of(
    as_of=date(2025, 10, 20),
    currency="USD",
    owners=owned_by("rita", "max"),
    industries=("Festivals", NASTY),
    company_sizes=("small",),
    lead_sources=("partner",),
    closing_in_period=True,
)
SCOPES = {
    "today": scope_of(),
    "a past day, limited": scope_of(as_of=date(2025, 10, 20), limited_to=owned_by("rita")),
    "every filter": EVERY_FILTER,
    "a strange word": scope_of(industries=(NASTY,)),
}


MODULES = [module.name for module in pkgutil.iter_modules(queries.__path__, "queries.")]
QUESTIONS: dict[str, Question[Any]] = {
    found.name: found
    for module in MODULES
    for found in vars(import_module(module)).values()
    if isinstance(found, Question)
}
every_question = pytest.mark.parametrize("asked", QUESTIONS.values(), ids=QUESTIONS.keys())


def arguments(asked: Question[Any], scope: Scope) -> dict[str, Any]:
    """Something for each of its parameters that has no default."""
    some: dict[str, Any] = {
        "scope": scope,
        "start": date(2025, 9, 30),
        "end": scope.as_of,
        "term": "new",
        "user_id": UUID(int=1),
        "page": NASTY,
        "time_zone": "Asia/Kolkata",
        "organizer_id": id_of("acme"),
        "opportunity_id": id_of("Gala"),
        "model": "churn",
        "began": date(2025, 7, 1),
        "quarters": 1,
        "problem": "overdue",
        "stage_id": UUID(int=2),
        "bar": "without_rate",
        "table": "crm_organizers",
        "record_id": id_of("acme"),
        "change": 1,
        "asked": Changes(verb="update", person=UUID(int=1)),
        "most": 5,
        "form": NASTY,
        "noun": "opportunity",
        "kinds": ("currency", "person", "stage"),
        "ids": [id_of("Gala")],
        "references": [("opportunity", str(id_of("Gala"))), ("person", str(UUID(int=1)))],
        "words": NASTY,
        "among": [PERSONAS["rita"].id],
        "starts": [date(2025, 7, 1), date(2025, 10, 1)],
        "currency": "CAD",
        "document_id": UUID(int=3),
        "nouns": ("organizer", "opportunity", "note"),
        "letter_id": UUID(int=4),
        **dict.fromkeys(("subject", "body_text", "body_html"), f"{NASTY} {{{{company_name}}}}"),
    }
    parameters = inspect.signature(asked.build).parameters.values()
    return {one.name: some[one.name] for one in parameters if one.default is inspect.Parameter.empty}


@pytest.fixture
def festivals(company: Connection, once: Once) -> Connection:
    """A company in which most questions have something to answer."""
    once("festivals", lambda: _festivals(company))
    return company


def _festivals(company: Connection) -> None:
    company.exec_driver_sql("update crm_organizers set industry = %s, company_size = 'small'", (NASTY,))
    given(company, "crm_organizers", "id | company_name | industry | assigned_to\nfair | Fair | Festivals | rita")
    happens(
        company,
        """
        at               | deal  | organizer_id | assigned_to | stage_id  | value | currency | expected_close_date |
        2025-09-01 12:00 | Gala  | acme         | rita        | Lead      | 1     | USD      | 2025-12-01          |
        2025-10-01 12:00 | Gala  |              |             | Qualified |       |          |                     |
        2025-10-02 12:00 | Expo  | acme         | rita        | Proposal  | 2     | JPY      | 2025-12-01          |
        2025-10-02 12:00 | Derby | fair         | rita        | Won       | 5     |          |                     |
        2025-11-02 12:00 | Expo  |              |             | Won       |       |          |                     |
        """,
    )


# Declarations ---------------------------------------------------------------------------------------------------


@every_question
def test_it_says_what_comes_back(asked: Question[Any]) -> None:
    assert (asked.__doc__ or "").strip().endswith(".")


@every_question
def test_its_columns_have_names_for_people(asked: Question[Any]) -> None:
    assert asked.columns
    for name, unit in asked.columns.items():
        assert name.isidentifier()
        assert unit.label.strip(), name
        assert unit.kind in DTYPES, name
    labels = [unit.label for unit in asked.columns.values() if unit.kind != "id"]
    assert len(labels) == len(set(labels)), "two columns of one table must not bear one heading"


@every_question
def test_its_columns_are_those_that_it_selects(asked: Question[Any]) -> None:
    for scope in SCOPES.values():
        assert list(asked.build(**arguments(asked, scope)).selected_columns.keys()) == list(asked.columns)


def test_other_columns_are_refused(reading_as: ReadingAs) -> None:
    @question(name=text("Name"), number=count("Number"))
    def mistaken() -> Any:
        """Not what it says."""
        return sa.select(sa.literal(1).label("number"), sa.literal("one").label("name"))

    with reading_as("rita") as db, pytest.raises(KeyError, match=r"declares \['name', 'number'\] and selects"):
        mistaken(db)


@every_question
def test_it_takes_the_scope_first(asked: Question[Any]) -> None:
    takes_scope = next(iter(inspect.signature(asked.build).parameters), None) == "scope"
    assert takes_scope is (asked.name not in WITHOUT_SCOPE)


# Answers --------------------------------------------------------------------------------------------------------


@every_question
def test_its_columns_have_their_dtypes_with_rows_and_without(
    festivals: Connection, reading_as: ReadingAs, asked: Question[Any]
) -> None:
    del festivals
    for who in ("rita", "olaf"):
        with reading_as(who, TODAY) as db:
            frame = asked(db, **arguments(asked, scope_of()))
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
            name: unit.dtype for name, unit in asked.columns.items()
        }


@every_question
def test_it_answers_in_an_empty_company(owner: Connection, reading_as: ReadingAs, asked: Question[Any]) -> None:
    del owner
    with reading_as("eve", TODAY) as db:
        for scope in SCOPES.values():
            frame = asked(db, **arguments(asked, scope))
            measured = frame.select_dtypes("Float64").drop(columns=SETTINGS, errors="ignore")
            assert measured.isna().all(axis=None), "of nothing there is no share and no duration"


@every_question
def test_without_a_viewer_it_is_refused(database: Settings, asked: Question[Any]) -> None:
    with psycopg.connect(_driver_url(database)) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(asked.sql(**arguments(asked, scope_of())))


@every_question
def test_its_sql_runs_as_it_is_shown_and_answers_the_same(
    festivals: Connection,
    database: Settings,
    reading_as: ReadingAs,
    asked: Question[Any],
    subtests: pytest.Subtests,
) -> None:
    del festivals
    with psycopg.connect(_driver_url(database)) as connection:
        for name, scope in SCOPES.items():
            with subtests.test(name), connection.transaction(force_rollback=True):
                with reading_as("rita", TODAY) as db:
                    frame = asked(db, **arguments(asked, scope))
                assert_frame_equal(_as_shown(connection, asked, scope), frame)


def _as_shown(connection: psycopg.Connection[Any], asked: Question[Any], scope: Scope) -> pd.DataFrame:
    """What the question's SQL, as a page shows it, answers Rita."""
    connection.execute("set local role authenticated")
    claims = f'{{"sub": "{PERSONAS["rita"].id}"}}'
    connection.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
    found = connection.execute(asked.sql(**arguments(asked, scope)))
    assert [column.name for column in found.description or ()] == list(asked.columns)
    rows = found.fetchall()
    shown = {
        name: pd.Series([row[place] for row in rows], dtype=unit.dtype)
        for place, (name, unit) in enumerate(asked.columns.items())
    }
    return pd.DataFrame(shown)


def test_the_words_of_a_filter_are_found_literally(festivals: Connection, reading_as: ReadingAs) -> None:
    del festivals
    with reading_as("rita", TODAY) as db:
        assert pipeline.headline(db, scope_of(industries=(NASTY,)))["open_count"][0] == 1
        assert pipeline.headline(db, scope_of(industries=("50 %",)))["open_count"][0] == 0


@pytest.mark.parametrize("module", MODULES)
def test_questions_need_pandas_and_sqlalchemy_and_nothing_else(module: str) -> None:
    """So that a notebook or a job can ask them: no Streamlit, no driver, nothing of the app but its fields."""
    tree = ast.parse(inspect.getsource(import_module(module)))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    known = {"pandas", "sqlalchemy", "queries", *sys.stdlib_module_names}
    assert {name.partition(".")[0] for name in imported - {"app.fields"}} <= known


def _driver_url(database: Settings) -> str:
    assert database.database_url
    return database.database_url.replace("postgresql+psycopg:", "postgresql:", 1)

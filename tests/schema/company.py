"""A company in which everybody owns something, and the policy matrix over it in plain Python: who may do what to which row."""

# ruff: noqa: E501 (tables are read across)

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from uuid import UUID

from psycopg import IntegrityError
from psycopg.errors import InsufficientPrivilege

from tests.personas import PERSONAS
from tests.schema.session import Session, Statements
from tests.tables import id_of

# S select, I insert, U update, D delete; then which rows:
#   owner      assigned to the viewer or to somebody below
#   organizer  hangs on an organizer that is assigned so
#   self       the viewer's own, as its writer or as the person it is about
#   author     written by the viewer, about somebody
#   active     about somebody who works here
# "U a then b": what may be changed is a, what comes of it must be b.
MATRIX = """
table                   | rep                                                                | manager                     | executive | admin
crm_organizers          | S owner, I owner, U owner                                          | same                        | S all     | S all, I all, U all, D all
crm_contacts            | S organizer, I organizer, U organizer                              | same                        | S all     | S all, I all, U all, D all
crm_opportunities       | S owner or organizer, I owner and organizer, U owner and organizer | same                        | S all     | S all, I all, U all, D all
crm_activities          | S owner or organizer, I self and organizer, U self then self and organizer | same                | S all     | S all, I all, U all, D all
crm_notes               | S organizer, I self and organizer, U self and organizer, D self and organizer | same             | S all     | S all, I all, U all, D all
crm_documents           | S organizer, I self and organizer, U self and organizer            | same                        | S all     | S all, I all, U all, D all
events                  | S organizer, I organizer, U organizer                              | same                        | S all     | S all, I all, U all, D all
crm_organizer_scores    | S organizer                                                        | same                        | S all     | S all
crm_opportunity_history | S owner or organizer                                               | same                        | S all     | S all
crm_pipeline_stages     | S all                                                              | same                        | S all     | S all, I all, U all, D all
crm_stage_changes       | -                                                                  | S all                       | S all     | S all, I all
crm_stage_history       | S all                                                              | same                        | S all     | S all
crm_stage_stay_counts   | -                                                                  | -                           | S all     | S all
crm_organizer_health    | S organizer                                                        | same                        | S all     | S all
crm_model_runs          | S all                                                              | same                        | S all     | S all
crm_refreshes           | S all                                                              | same                        | S all     | S all
crm_activity_counts     | -                                                                  | -                           | S all     | S all
crm_activity_counts_by_person | S owner or organizer                                         | same                        | S all     | S all
crm_email_templates     | S all                                                              | same                        | S all     | S all, I all, U all, D all
crm_exchange_rates      | S all                                                              | same                        | S all     | S all, I all, U all, D all
crm_calibrations        | S all                                                              | same                        | S all     | S all
crm_calibration_overrides | S owner                                                          | same                        | S all     | S all
crm_forecast_adjustments | -                                                                 | S owner, I owner, U author and owner | S all | S all, I all, U all
crm_targets             | S owner                                                            | S owner, I owner, U owner   | S all     | S all, I all, U all, D all
crm_profiles            | S active                                                           | same                        | S all     | S all, I all, U all, D all
crm_user_roles          | S self                                                             | same                        | S all     | S all, I all, U all, D all
crm_settings            | S all                                                              | same                        | S all     | S all, U all
crm_saved_views         | S self, I self, U self, D self                                     | same                        | same      | same
crm_drafts              | S self, I self, U self, D self                                     | same                        | same      | same
crm_submissions         | S self, I self                                                     | same                        | same      | same
crm_file_removals       | -                                                                  | -                           | S all     | S all
crm_outbox              | -                                                                  | S organizer                 | S all     | S all, U all
crm_undone              | S all                                                              | same                        | S all     | S all
crm_audit               | -                                                                  | -                           | S all     | S all
"""

# Opportunities, activities, notes and documents: whose each is, and whose organizer it hangs on.
PAIRS = """
    rita@rita ravi@rita olaf@rita max@rita mona@rita dora@rita eve@rita ada@rita nobody@rita
    rita@ravi rita@olaf rita@max rita@mona rita@dora rita@eve rita@ada rita@nobody
    ravi@ravi max@max mona@mona olaf@olaf dora@dora ada@ada nora@nora max@olaf nobody@nobody
"""

VIEWERS = [*PERSONAS, "anon"]
_OWNERS: list[str | None] = [*PERSONAS, None]


@dataclass(frozen=True)
class Row:
    """What the matrix asks about a row: whom it belongs to, and whom its organizer belongs to."""

    key: str
    owner: str | None = None
    organizer: str | None = None
    author: str | None = None
    is_active: bool = True


@dataclass(frozen=True)
class Table:
    """How the tests meet a table: its key, where its row says whose it is, a harmless change, and a new row."""

    key: str = "id"
    owner: str | None = None
    organizer: str | None = None
    author: str | None = None
    owner_is_needed: bool = False
    touch: str = ""
    insert: str = "default values"
    moves: tuple[str, ...] = ()  # columns by which people hand a row to somebody else


TABLES = {
    "crm_organizers": Table(
        owner="assigned_to", touch="industry = 'touched'", moves=("assigned_to",),
        insert="(company_name, assigned_to) values ('New', %(owner)s)",
    ),
    "crm_contacts": Table(
        organizer="organizer_id", touch="title = 'touched'", moves=("organizer_id",),
        insert="(organizer_id, full_name, email) values (%(organizer)s, 'New', 'new@example.com')",
    ),
    "crm_opportunities": Table(
        owner="assigned_to", organizer="organizer_id", touch="description = 'touched'", moves=("assigned_to", "organizer_id"),
        insert="(name, value, stage_id, assigned_to, organizer_id) values ('New', 1, %(stage)s, %(owner)s, %(organizer)s)",
    ),
    "crm_activities": Table(
        owner="user_id", organizer="organizer_id", owner_is_needed=True, touch="subject = 'touched'", moves=("organizer_id",),
        insert="(type, subject, user_id, organizer_id) values ('call', 'New', %(owner)s, %(organizer)s)",
    ),
    "crm_notes": Table(
        owner="created_by", organizer="organizer_id", owner_is_needed=True, touch="content = 'touched'", moves=("organizer_id",),
        insert="(content, created_by, organizer_id) values ('New', %(owner)s, %(organizer)s)",
    ),
    "crm_documents": Table(
        owner="uploaded_by", organizer="organizer_id", owner_is_needed=True,
        touch="is_signed = true, signed_at = now(), signed_by = uploaded_by",
        insert="(file_name, file_type, file_size, storage_path, uploaded_by, organizer_id)"
               " values ('new.pdf', 'application/pdf', 1, 'new', %(owner)s, %(organizer)s)",
    ),
    "events": Table(
        organizer="organizer_id", touch="venue = 'touched'",
        insert="(name, organizer_id) values ('New', %(organizer)s)",
    ),
    "crm_organizer_scores": Table(key="(organizer_id, scored_on)", organizer="organizer_id", touch="engagement_score = 2"),
    "crm_opportunity_history": Table(key="(opportunity_id, seq)", owner="assigned_to", organizer="organizer_id", touch="value = 2"),
    "crm_pipeline_stages": Table(touch="description = 'touched'", insert="(name, order_index) values ('New', 99)"),
    "crm_stage_changes": Table(
        touch="reason = 'touched'",
        insert="(stage_id, probability_before, probability, follows, opportunities, effect, currency, without_rate, reason)"
               " values (%(stage)s, 50, 40, 'new', 0, 0, 'CAD', 0, 'New')",
    ),
    "crm_stage_history": Table(key="(stage_id, seq)", touch="name = 'touched'"),
    "crm_stage_stay_counts": Table(key="(stage_id, left_month, days)", touch="stays = 2"),
    "crm_organizer_health": Table(key="organizer_id", organizer="organizer_id", touch="health = 2"),
    "crm_model_runs": Table(key="(model, as_of)", touch="reason = 'touched'"),
    "crm_refreshes": Table(key="refreshed_on", touch="finished_at = null"),
    "crm_activity_counts": Table(key="(extract(epoch from quarter_hour), type)", touch="activities = 2"),
    "crm_activity_counts_by_person": Table(
        key="(user_id, assigned_to, extract(epoch from quarter_hour), type)", owner="user_id", touch="activities = 2",
        organizer="(select one.id from crm_organizers as one"
                  " where one.assigned_to = crm_activity_counts_by_person.assigned_to limit 1)",
    ),
    "crm_email_templates": Table(
        touch="description = 'touched'", insert="(name, subject, body_html) values ('New', 'New', 'New')"
    ),
    "crm_exchange_rates": Table(touch="rate = 2", insert="(currency, rate_date, rate) values ('JPY', '2026-01-01', 1)"),
    "crm_calibrations": Table(key="as_of", touch="fitted = 'touched'"),
    "crm_calibration_overrides": Table(key="(as_of, owner_id)", owner="owner_id", owner_is_needed=True, touch="n = 2"),
    "crm_forecast_adjustments": Table(
        owner="owner_id", author="author_id", owner_is_needed=True, touch="withdrawn_at = now()",
        insert="(owner_id, period_start, period_end, amount, currency, reason)"
               " values (%(owner)s, '2030-01-01', '2030-04-01', 1, 'CAD', 'New')",
    ),
    "crm_targets": Table(
        owner="user_id", owner_is_needed=True, touch="amount = 2", moves=("user_id",),
        insert="(user_id, period_start, amount) values (%(owner)s, '2030-01-01', 1)",
    ),
    "crm_profiles": Table(
        key="user_id", owner="user_id", owner_is_needed=True, touch="time_zone = 'UTC'",
        insert="(user_id, full_name) values (%(owner)s, 'New')",
    ),
    "crm_user_roles": Table(
        key="user_id", owner="user_id", owner_is_needed=True, touch="role = 'executive'",
        insert="(user_id, role) values (%(owner)s, 'admin')",
    ),
    "crm_settings": Table(touch="organisation_name = 'touched'"),
    "crm_saved_views": Table(
        owner="user_id", owner_is_needed=True, touch="query = 'touched'",
        insert="(user_id, page, name, query) values (%(owner)s, 'pipeline', 'New', '')",
    ),
    "crm_drafts": Table(
        key="(user_id, form)", owner="user_id", owner_is_needed=True, touch="given = '{}'",
        insert="(user_id, form, base, given) values (%(owner)s, 'note/new', '{}', '{}')",
    ),
    "crm_submissions": Table(
        key="key", owner="user_id", owner_is_needed=True, touch="result = '{}'",
        insert="(key, user_id) values (gen_random_uuid(), %(owner)s)",
    ),
    "crm_outbox": Table(
        organizer="organizer_id", touch="status = 'cancelled'",
        insert="(organizer_id, stage_id, template_name, recipient)"
               " values (%(organizer)s, gen_random_uuid(), 'New', 'new@example.com')",
    ),
    "crm_undone": Table(key="change", touch="undone_by = '2'"),
    "crm_file_removals": Table(
        key="storage_path", touch="removed_at = now(), given_up_at = now()",
        insert="(storage_path, keep_until) values ('new', now())",
    ),
    "crm_audit": Table(touch="reason = 'touched'"),
}  # fmt: skip


def build(db: Session) -> None:
    """Fills an empty company, as the owner."""
    for number, owner in enumerate((*PERSONAS, "nobody")):
        organizer = f"of {owner}"
        assigned_to = None if owner == "nobody" else owner
        db.insert("crm_organizers", id=organizer, company_name=organizer, assigned_to=assigned_to)
        db.insert("crm_contacts", organizer_id=organizer, full_name=owner, email=f"{owner}@client.example")
        db.insert("events", organizer_id=organizer, name="Gala")
        db.insert(
            "crm_outbox", organizer_id=organizer, stage_id="Lead", template_name="Offer", recipient="a@client.example"
        )
        db.insert("crm_organizer_scores", organizer_id=organizer, scored_on="2026-01-01", engagement_score=1)
        db.insert("crm_organizer_health", organizer_id=organizer, scored_on="2026-01-01", health=1, observed_share=1)
        if assigned_to:
            db.insert("crm_organizers", company_name="Without opportunities", assigned_to=assigned_to)
            db.insert("crm_saved_views", user_id=owner, page="pipeline", name="Mine", query="")
            db.insert("crm_drafts", user_id=owner, form="note/1", base="{}", given="{}")
            db.insert("crm_submissions", key=owner, user_id=owner)
            # each in a quarter of its own, so that a target can be handed to anybody
            db.insert("crm_targets", user_id=owner, period_start=f"202{number}-01-01", amount=1)
    for pair in PAIRS.split():
        owner, organizer = pair.split("@")
        add_opportunity(db, pair, owner, organizer)
        if owner != "nobody":
            common = {"organizer_id": f"of {organizer}"}
            db.insert("crm_activities", **common, user_id=owner, type="call", subject=pair)
            db.insert("crm_notes", **common, created_by=owner, content=pair)
            db.insert("crm_documents", **common, uploaded_by=owner, file_name=f"{pair}.pdf", file_type="application/pdf",
                      file_size=1, storage_path=pair)  # fmt: skip
    add_opportunity(db, "handed over", "ravi", "ravi")
    db.update("crm_opportunities", "handed over", assigned_to="rita")
    db.update("crm_opportunities", "handed over", stage_id="Negotiation")
    for pair in ("rita@rita", "olaf@olaf"):
        add_opportunity(db, f"deleted {pair}", *pair.split("@"))
        db.run("delete from crm_opportunities where id = %s", id_of(f"deleted {pair}"))
    db.insert("crm_model_runs", model="churn", as_of="2026-01-01", n=1, events=1, cutoffs=[], held_out=[])
    db.insert("crm_refreshes", refreshed_on="2026-01-01")
    db.insert("crm_undone", change="1", undone_by="2")
    db.insert("crm_file_removals", storage_path="left", keep_until="2026-01-01")
    db.insert("crm_stage_changes", stage_id="Lead", made_by="ada", probability_before=20, probability=10, follows="new",
              opportunities=0, effect=0, currency="CAD", without_rate=0, reason="Too high")  # fmt: skip
    db.insert("crm_calibrations", as_of="2026-01-01", stages="[]", reliability="[]", scores="[]", fitted="{}")
    for owner in PERSONAS:
        db.insert("crm_calibration_overrides", as_of="2026-01-01", owner_id=owner, n=1, brier_override=0, brier_stage=0,
                  saved=0, reason="")  # fmt: skip
        for author in ("mona", "max", "ada"):
            db.insert("crm_forecast_adjustments", author_id=author, owner_id=owner, period_start="2026-01-01",
                      period_end="2026-04-01", amount=1, currency="CAD", reason="A feeling")  # fmt: skip
    db.insert("crm_email_templates", name="Welcome", subject="Welcome", body_html="Welcome")
    db.insert("crm_exchange_rates", currency="USD", rate_date="2026-01-01", rate=1)


def add_opportunity(db: Session, name: str, owner: str, organizer: str) -> None:
    """An opportunity called so, which is also the word for its id."""
    db.insert("crm_opportunities", id=name, name=name, organizer_id=f"of {organizer}", stage_id="Proposal", value=100,
              assigned_to=None if owner == "nobody" else owner)  # fmt: skip


# The model ----------------------------------------------------------------------------------------------------


def rules() -> dict[tuple[str, str], dict[str, tuple[str, str]]]:
    """From (table, role) to verb → (which rows, and for U what may come of them)."""
    header, *lines = [[cell.strip() for cell in line.split("|")] for line in MATRIX.strip().splitlines()]
    parsed: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
    for table, *cells in lines:
        before = ""
        for role, cell in zip(header[1:], cells, strict=True):
            before = before if cell == "same" else cell
            allowed = (part.split(" ", 1) for part in before.split(", ") if part != "-")
            parsed[table, role] = {verb: _both(rows) for verb, rows in allowed}
    return parsed


def _both(rows: str) -> tuple[str, str]:
    before, _, after = rows.partition(" then ")
    return before, after or before


RULES = rules()


def team(viewer: str) -> set[str]:
    """Whose rows the viewer may work on: oneself, and for a manager everybody below."""
    person = PERSONAS[viewer]
    below = (
        {other.name for other in PERSONAS.values() if other.manager == viewer} if person.role == "manager" else set()
    )
    return {viewer}.union(*(_subtree(name) for name in below))


def _subtree(name: str) -> set[str]:
    return {name}.union(*(_subtree(other.name) for other in PERSONAS.values() if other.manager == name))


def allowed(viewer: str, table: str, verb: str, row: Row, after: bool = False) -> bool:
    """Whether the matrix lets the viewer do this to this row; `after`: whether it may come of an update."""
    person = PERSONAS.get(viewer)
    if not person or not person.role or not person.is_active:
        return False
    which = RULES[table, person.role].get(verb)
    if not which:
        return False
    meanings = {
        "all": True,
        "owner": row.owner in team(viewer),
        "organizer": row.organizer in team(viewer),
        "self": row.owner == viewer,
        "author": row.author == viewer,
        "active": row.is_active,
    }
    return any(all(meanings[word] for word in either.split(" and ")) for either in which[after].split(" or "))


# The model held against the database ---------------------------------------------------------------------------

Act = Callable[[str], AbstractContextManager[Statements]]


class Company:
    """The rows as they are in truth, and what somebody who looks finds different from what the matrix says."""

    def __init__(self, root: Session) -> None:
        self._root = root
        self._names: dict[UUID | None, str | None] = {person.id: person.name for person in PERSONAS.values()} | {
            None: None
        }
        self._stage = root.one("select id from crm_pipeline_stages where name = 'Lead'")
        self._rows: dict[str, list[Row]] = {}

    def rows(self, table: str) -> list[Row]:
        """Every row of a table."""
        if table not in self._rows:
            form = TABLES[table]
            organizer = (
                f"(select assigned_to from crm_organizers as o where o.id = {form.organizer})"
                if form.organizer
                else "null"
            )
            active = "is_active" if table == "crm_profiles" else "true"
            with self._root.superuser():
                found = self._root.rows(
                    f"select {form.key}::text as key, {form.owner or 'null'} as owner, {organizer} as organizer,"
                    f" {form.author or 'null'} as author, {active} as active from {table}"
                )
            self._rows[table] = [
                Row(row.key, *(self._names[_uuid(who)] for who in (row.owner, row.organizer, row.author)), row.active)
                for row in found
            ]
            assert self._rows[table], f"the company has no row in {table}"
        return self._rows[table]

    @cached_property
    def _organizers(self) -> dict[str | None, UUID]:
        return {name: id_of(f"of {name or 'nobody'}") for name in (*PERSONAS, None)}

    def reads(self, act: Act, viewer: str, table: str) -> Iterator[str]:
        """Rows seen that are not to be seen, and the other way round."""
        with act(viewer) as db:
            expected = {row.key for row in self.rows(table) if allowed(viewer, table, "S", row)}
            try:
                seen = {row.key for row in db.rows(f"select {TABLES[table].key}::text as key from {table}")}
                counted = db.one(f"select count(*) from {table}")
            except InsufficientPrivilege:
                if viewer != "anon":
                    yield "reading is refused altogether"
                return
        yield from (f"sees {key}" for key in seen - expected)
        yield from (f"does not see {key}" for key in expected - seen)
        if counted != len(seen):
            yield f"counts {counted} of {len(seen)} rows"

    def blind_updates(self, act: Act, viewer: str, table: str) -> Iterator[str]:
        """An UPDATE without WHERE changes exactly the rows that may change, or none at all if not all may come of it."""
        mine = [row for row in self.rows(table) if allowed(viewer, table, "U", row)]
        stays = all(allowed(viewer, table, "U", row, after=True) for row in mine)
        update = f"update {table} set {TABLES[table].touch}"
        with act(viewer) as db:
            yield from self._blindly(db, viewer, table, update, mine if stays else None)
            if mine and stays:
                returned = {row.key for row in db.rows(f"{update} returning {TABLES[table].key}::text as key")}
                if returned != {row.key for row in mine}:
                    yield f"a blind update changes {returned}"

    def _blindly(
        self, db: Statements, viewer: str, table: str, statement: str, expected: list[Row] | None, *values: object
    ) -> Iterator[str]:  # fmt: skip
        try:
            with db.undone():
                done = db.run(statement, *values)
        except InsufficientPrivilege:
            if (
                expected
                or expected is not None
                and viewer != "anon"
                and "U" in RULES[table, "admin"] | RULES[table, "rep"]
            ):
                yield f"is refused: {statement}"
        else:
            if expected is None or done != len(expected):
                yield f"changes {done} rows: {statement}"

    def handovers(self, act: Act, viewer: str, table: str) -> Iterator[str]:
        """Each row that may change, given to each person and hung on each person's organizer; any other, taken; all at once."""
        form = TABLES[table]
        mine = [row for row in self.rows(table) if allowed(viewer, table, "U", row)]
        with act(viewer) as db:
            for column, name in product(form.moves, PERSONAS):
                side, value = (
                    ("owner", PERSONAS[name].id) if column == form.owner else ("organizer", self._organizers[name])
                )
                moved = {row: replace(row, **{side: name}) for row in self.rows(table)}
                all_may = all(allowed(viewer, table, "U", moved[row], after=True) for row in mine)
                yield from self._blindly(
                    db, viewer, table, f"update {table} set {column} = %s", mine if all_may else None, value
                )
                for row in mine if name != viewer else moved:
                    may_come = row in mine and allowed(viewer, table, "U", moved[row], after=True)
                    try:
                        with db.undone():
                            done = db.run(
                                f"update {table} set {column} = %s where {form.key}::text = %s", value, row.key
                            )
                    except InsufficientPrivilege:
                        if may_come:
                            yield f"may not make {row} {moved[row]}"
                    else:
                        if row in mine and not may_come or done != may_come:
                            yield f"changes {done} rows making {row} {moved[row]}"

    def inserts(self, act: Act, viewer: str, table: str) -> Iterator[str]:
        """A new row for each person on each person's organizer."""
        form = TABLES[table]
        with act(viewer) as db:
            for row in self._candidates(table):
                expected = allowed(viewer, table, "I", row)
                values = {
                    "owner": row.owner and id_of(row.owner),
                    "organizer": self._organizers[row.organizer],
                    "stage": self._stage,
                }
                try:
                    with db.undone():
                        db.connection.execute(f"insert into {table} {form.insert}".encode(), values)
                except InsufficientPrivilege:
                    if expected:
                        yield f"may not insert {row}"
                except IntegrityError as error:
                    # nearly everybody has a profile and a role already
                    if not expected or table not in ("crm_profiles", "crm_user_roles"):
                        yield f"was stopped by {error.diag.constraint_name} only, inserting {row}"
                else:
                    if not expected:
                        yield f"inserts {row}"

    def _candidates(self, table: str) -> Iterable[Row]:
        form = TABLES[table]
        owners = [None] if not form.owner else list(PERSONAS) if form.owner_is_needed else _OWNERS
        if table == "crm_profiles":
            owners = ["newcomer", *owners]
        for owner in owners:
            for organizer in _OWNERS if form.organizer else [None]:
                yield Row("new", owner, organizer)

    def deletes(self, act: Act, viewer: str, table: str) -> Iterator[str]:
        """Each row removed by itself, and a DELETE without WHERE."""
        mine = [row for row in self.rows(table) if allowed(viewer, table, "D", row)]
        with act(viewer) as db:
            for row in (*self.rows(table), None):
                expected = len(mine) if row is None else int(row in mine)
                where, values = ("", []) if row is None else (f"where {TABLES[table].key}::text = %s", [row.key])
                try:
                    with db.undone():
                        done = db.run(f"delete from {table} {where}", *values)
                except InsufficientPrivilege:
                    if expected:
                        yield f"may not delete {row or 'all'}"
                except IntegrityError:  # something depends on it, which only who may delete learns
                    if not expected:
                        yield f"was stopped by a constraint only, deleting {row or 'all'}"
                else:
                    if done != expected:
                        yield f"deletes {done} rows, not {expected}: {row or 'all'}"

    def truncates(self, act: Act, viewer: str, table: str) -> Iterator[str]:
        """Nobody may."""
        with act(viewer) as db:
            try:
                db.run(f"truncate {table} cascade")
            except InsufficientPrivilege:
                return
        yield "truncates"


Verb = Callable[[Company, Act, str, str], Iterator[str]]
VERBS: list[Verb] = [
    Company.reads, Company.blind_updates, Company.handovers, Company.inserts, Company.deletes, Company.truncates
]  # fmt: skip


def _uuid(value: object) -> UUID | None:
    return value if isinstance(value, UUID) or value is None else UUID(str(value))

"""In the database: everything or nothing, everything put back, and as its triggers would have written it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, Engine, NullPool, Row, create_engine, text

from app import demo, embedded
from app.errors import Refused
from tests.app.demo.conftest import ANCHOR, rows_of

# What is taken away while rows come in: indexes, constraints, triggers, with what is said of them.
STRUCTURE = text("""
    select indexdef, obj_description(format('%I.%I', schemaname, indexname)::regclass, 'pg_class'), null
    from pg_indexes where schemaname = 'public'
    union all
    select format('%s on %s %s', conname, conrelid::regclass, pg_get_constraintdef(oid)),
      obj_description(oid, 'pg_constraint'), convalidated::text
    from pg_constraint where connamespace = 'public'::regnamespace
    union all
    select pg_get_triggerdef(oid), null, tgenabled::text from pg_trigger where not tgisinternal
    order by 1
""")


def structure(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(STRUCTURE).all()


def count(connection: Connection, table: str) -> int:
    return int(connection.scalar(text(f"select count(*) from {table}")) or 0)


def test_every_row_arrives_and_everything_is_put_back(loaded: Connection, empty: Engine) -> None:
    for table, rows in rows_of(0.05).items():
        assert count(loaded, table) == len(rows), table
    with empty.connect() as connection:
        assert structure(loaded) == structure(connection)
    assert loaded.scalar(text("select organisation_name from crm_settings")) == "Lumenworks Event Services"


@pytest.mark.parametrize("share", [0.001, 0.6, 0.95])
def test_what_is_interrupted_leaves_nothing(empty: Engine, share: float) -> None:
    def interrupt(_text: str, done: float) -> None:
        if done >= share:
            raise KeyboardInterrupt

    with empty.connect() as connection:
        before = structure(connection)
    with pytest.raises(KeyboardInterrupt), empty.begin() as connection:
        demo.load(connection, scale=0.02, anchor=ANCHOR, progress=interrupt)
    with empty.connect() as connection:
        assert structure(connection) == before
        assert [count(connection, table) for table in ("auth.users", "crm_organizers", "crm_activities")] == [0, 0, 0]
        assert count(connection, "crm_pipeline_stages") == 6


def test_a_company_that_is_not_empty_is_refused_in_words(loaded: Connection, empty: Engine) -> None:
    with pytest.raises(Refused, match="There are organizers in this database already"):
        demo.load(loaded, scale=0.02)
    with empty.connect() as connection:
        connection.execute(text("insert into auth.users (id, email) values (:id, 'a@example.com')"), {"id": uuid4()})
        connection.execute(text("insert into crm_profiles (user_id, full_name) select id, 'Ann' from auth.users"))
        with pytest.raises(Refused, match="There are people in this database already"):
            demo.load(connection, scale=0.02)


def test_progress_goes_from_nothing_to_all(empty: Engine) -> None:
    shares: list[float] = []
    with empty.connect() as connection:
        demo.load(connection, scale=0.02, anchor=ANCHOR, progress=lambda _, share: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert len(shares) > 20


def test_rows_are_frozen_so_that_index_only_scans_are_that_at_once(loaded: Connection) -> None:
    visible = text("""
        select sum(relallvisible)::float / sum(relpages) from pg_class
        where relname in ('crm_activities', 'crm_opportunity_history', 'crm_opportunities')
    """)
    assert loaded.execute(visible).scalar_one() > 0.7  # the last pages of each table are not full


def test_the_rollup_of_stage_stays_is_exact(loaded: Connection) -> None:
    kept = text("select * from crm_stage_stay_counts where stays <> 0 order by 1, 2, 3")
    before = loaded.execute(kept).all()
    loaded.execute(text("select app.recount_stage_stays()"))
    assert before == loaded.execute(kept).all()
    assert sum(row.stays for row in before) > 1_000


def test_the_rollup_of_activities_is_exact(loaded: Connection) -> None:
    assert loaded.execute(text("select app.miscounted_activities()")).scalar_one() == 0
    counted = text("select (select sum(activities) from crm_activity_counts) > 1000")
    assert loaded.execute(counted).scalar_one()


def test_stored_engagement_is_what_the_schema_says_as_of_the_anchor(loaded: Connection) -> None:
    loaded.execute(
        text("select set_config('eventos.effective_time', (select max(scored_at)::text from crm_organizers), true)")
    )
    stored = text("select id, engagement_score, last_activity_at from crm_organizers order by id")
    contacts = text("select id, last_contact_date from crm_contacts order by id")
    before = loaded.execute(stored).all(), loaded.execute(contacts).all()
    loaded.execute(
        text("select app.update_engagement(array(select id from crm_organizers), array(select id from crm_contacts))")
    )
    assert (loaded.execute(stored).all(), loaded.execute(contacts).all()) == before


def test_everybody_sees_their_own(loaded: Connection, server: embedded.Server) -> None:
    """As the app's login: sellers their accounts, the head of sales those of all sellers, executives everything."""
    owned = dict(loaded.execute(text("select assigned_to, count(*) from crm_organizers group by 1")).all())
    people = loaded.execute(
        text("select user_id, role, manager_id from crm_profiles join crm_user_roles using (user_id)")
    )
    reports = {person.user_id: person for person in people}
    app = create_engine(
        server.url("eventos_app", loaded.engine.url.database or "").replace("postgresql:", "postgresql+psycopg:", 1),
        poolclass=NullPool,
    )
    for person in reports.values():
        with app.connect() as connection:
            claims = f'{{"sub": "{person.user_id}", "role": "authenticated"}}'
            connection.execute(
                text(
                    "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', :claims, true)"
                ),
                {"claims": claims},
            )
            seen = count(connection, "crm_organizers")
        team = {person.user_id, *(one for one in reports if reports[one].manager_id == person.user_id)}
        team |= {one for one in reports if reports[one].manager_id in team} if person.role == "manager" else set()
        is_active = person.user_id in owned or person.role != "rep"
        expected = (
            sum(owned.values()) if person.role in ("admin", "executive") else sum(owned.get(one, 0) for one in team)
        )
        assert seen == (expected if is_active else 0)


# The history, written once more by the triggers ------------------------------------------------------------

# Of each kind of story the longest: reopened, deleted, abandoned, won, with an opinion, in a wrong currency at first,
# handed over, gone along with a stage's new default.
STORIES = {
    "reopened": "bool_or(status = 'lost') and bool_or(status = 'open' and seq > 2) and max(seq) > 5",
    "deleted": "bool_or(is_deleted)",
    "abandoned": "bool_or(status = 'abandoned')",
    "won": "bool_or(status = 'won')",
    "opinion": "bool_or(probability_source = 'manual')",
    "currency": "count(distinct currency) > 1",
    "handed over": "count(distinct assigned_to) > 1",
    "stage default": "bool_or(valid_from in (select valid_from from crm_stage_history where seq > 1))",
    "open": "bool_or(status = 'open' and valid_to is null)",
}
COLUMNS = """seq, valid_from, valid_to, organizer_id, stage_id, stage_entered_at, next_stage_id, value, currency,
    probability, probability_source, expected_close_date, actual_close_date, assigned_to, status, created_at,
    is_deleted, changed_by"""


@pytest.mark.parametrize("story", STORIES)
def test_the_triggers_would_have_written_the_same_history(loaded: Connection, story: str) -> None:
    told = (
        loaded.execute(
            text(f"""
        select opportunity_id from crm_opportunity_history group by opportunity_id having {STORIES[story]}
        order by max(seq) desc, opportunity_id limit 3
    """)
        )
        .scalars()
        .all()
    )
    assert told
    loaded.execute(text("alter table crm_pipeline_stages disable trigger user"))
    for opportunity in told:
        versions = history(loaded, opportunity)
        replayed = replay(loaded, versions)
        assert history(loaded, replayed) == versions
        if not versions[-1].is_deleted:
            assert settled(loaded, replayed) == settled(loaded, opportunity)


def history(connection: Connection, opportunity: UUID) -> Sequence[Row[Any]]:
    query = f"select {COLUMNS} from crm_opportunity_history where opportunity_id = :id order by seq"
    return connection.execute(text(query), {"id": opportunity}).all()


def settled(connection: Connection, opportunity: UUID) -> Row[Any] | None:
    return connection.execute(
        text("""
            select value, currency, probability, probability_source, probability_set_by, probability_set_at,
              expected_close_date, actual_close_date, status, assigned_to, stage_id, version
            from crm_opportunities where id = :id
        """),
        {"id": opportunity},
    ).one()


def replay(connection: Connection, versions: Sequence[Row[Any]]) -> UUID:
    """Makes an opportunity live through these versions, each change at its time and by who made it."""
    opportunity = uuid4()
    previous = None
    for version in versions:
        at_the_time(connection, version)
        if previous is None:
            connection.execute(
                text("""
                    insert into crm_opportunities (id, organizer_id, stage_id, name, value, currency,
                      expected_close_date, assigned_to, created_at)
                    values (:id, :organizer_id, :stage_id, 'Again', :value, :currency,
                      :expected_close_date, :assigned_to, :valid_from)
                """),
                {**version._mapping, "id": opportunity},
            )
        elif version.is_deleted:
            connection.execute(text("delete from crm_opportunities where id = :id"), {"id": opportunity})
        else:
            changed = differences(previous, version)
            assignments = ", ".join(f"{name} = :{name}" for name in changed)
            connection.execute(
                text(f"update crm_opportunities set {assignments} where id = :id"),
                {**changed, "id": opportunity},
            )
        previous = version
    return opportunity


def at_the_time(connection: Connection, version: Row[Any]) -> None:
    """The clock, the person and the stages' defaults of a version."""
    connection.execute(
        text("""
            select set_config('eventos.effective_time', cast(cast(:at as timestamptz) as text), true),
              set_config('request.jwt.claims', case when cast(:by as text) is null then ''
                else json_build_object('sub', cast(:by as text), 'role', 'authenticated')::text end, true)
        """),
        {"at": version.valid_from, "by": version.changed_by and str(version.changed_by)},
    )
    connection.execute(
        text("""
            update crm_pipeline_stages as stage set default_probability = version.default_probability
            from crm_stage_history as version
            where version.stage_id = stage.id and version.valid_from <= :at
              and (version.valid_to > :at or version.valid_to is null)
        """),
        {"at": version.valid_from},
    )


def differences(before: Row[Any], after: Row[Any]) -> dict[str, Any]:
    """What somebody has to write to get from one version to the next; the rest is for the triggers."""
    written = ("stage_id", "value", "currency", "expected_close_date", "assigned_to")
    changed = {name: getattr(after, name) for name in written if getattr(after, name) != getattr(before, name)}
    if after.status == "abandoned" != before.status:
        changed["status"] = after.status
    says = (after.probability, after.probability_source)
    if after.status == "open" and says != (before.probability, before.probability_source):
        if after.probability_source == "manual":
            changed["probability"] = after.probability
        elif before.probability_source == "manual" or "stage_id" not in changed:
            changed["probability"] = None
    return changed

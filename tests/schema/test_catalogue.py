"""Rules that hold for every table, view, function, policy and grant, old and new; and each rule shown to be able to fail."""

# ruff: noqa: E501 (tables are read across)

from pathlib import Path

import pytest

from tests.schema import catalogue
from tests.schema.session import Session

GRANTS = (Path(__file__).parent / "grants.txt").read_text().splitlines()


@pytest.mark.parametrize("check", catalogue.CHECKS, ids=lambda check: check.__name__)
def test_nothing_is_found(db: Session, check: catalogue.Check) -> None:
    assert [*check(db)] == []


def test_nobody_may_more_than_the_list_says(db: Session) -> None:
    found = catalogue.grants(db).splitlines()
    # Views come and go; all of them are read, and their functions called, by people with their own rights.
    of_views = [line for line in found if line.startswith(("analytics.", "function analytics."))]
    assert of_views
    assert all(line.endswith((": authenticated select", ": authenticated execute")) for line in of_views)
    assert [line for line in found if line not in of_views] == GRANTS


def test_the_owner_gives_nothing_away_in_advance(db: Session) -> None:
    assert db.rows("select * from pg_default_acl") == []


# What a careless migration might do, and the finding that it leads to
MUTANTS = {
    "create table public.crm_secrets (id uuid primary key)": "crm_secrets has no row-level security",
    "create table app.secrets (id uuid primary key)": "app.secrets has no row-level security",
    "alter table crm_organizers disable row level security": "crm_organizers has no row-level security",
    "alter table auth.users disable row level security": "auth.users has no row-level security",
    "drop policy audit_select on crm_audit": "crm_audit has no policy",
    "create view analytics.everything as select * from crm_organizers": "the view analytics.everything has no security_invoker",
    "create view public.everything with (security_barrier) as select * from crm_organizers": "the view everything has no security_invoker",
    "create materialized view analytics.frozen as select * from crm_organizers": "the view analytics.frozen has no security_invoker",
    "alter view analytics.open_opportunities set (security_invoker = false)": "the view analytics.open_opportunities has no security_invoker",
    "alter function app.viewer_role() reset search_path": "app.viewer_role() (definer) has no empty search_path",
    "alter function app.viewer_role() set search_path = public": "app.viewer_role() (definer) has no empty search_path",
    """create function app.loose() returns boolean language sql security definer set search_path = '' as 'select true'""":
        "the body of app.loose() is a string, looked up when it runs",
    """create function analytics.loose() returns boolean language sql security definer set search_path = '' as 'select true'""":
        "the body of analytics.loose() is a string, looked up when it runs",
    """create function app.loose() returns void language plpgsql set search_path = '' as 'begin perform ''''::uuid; end'""":
        "app.loose() names a type without its schema: ::uuid;",
    """create function app.loose() returns void language plpgsql set search_path = '' as '
       declare
         found jsonb;
       begin end'""": "app.loose() names a type without its schema: found jsonb;",
    "drop index idx_activities_event": "the foreign key crm_activities_event_id_fkey of crm_activities has no index",
    "comment on table crm_organizers is null": "crm_organizers has no comment",
    "create view analytics.silent with (security_invoker) as select 1": "analytics.silent has no comment",
    "create policy more on crm_notes for select to authenticated using ((select app.sees_all()))": "crm_notes has 2 policies for SELECT",
    "create policy more on crm_notes to authenticated using ((select app.sees_all()))": "more on crm_notes is for all verbs",
    "create policy less on crm_notes as restrictive to authenticated using ((select app.sees_all()))": "less on crm_notes is restrictive",
    "alter policy notes_select on crm_notes to public": "notes_select on crm_notes is for public",
    "alter policy notes_select on crm_notes using (app.sees_all())": "notes_select on crm_notes calls app.sees_all for every row",
    "alter policy notes_select on crm_notes using (true)": "notes_select on crm_notes does not ask who is looking",
    "alter policy notes_update on crm_notes with check (true)": "notes_update on crm_notes does not ask who is looking",
    "drop trigger announce on crm_notes": "crm_notes changes without a notice",
    "alter table crm_notes disable trigger announce": "the trigger announce of crm_notes is off",
    "alter table crm_audit disable trigger keep_audit": "the trigger keep_audit of crm_audit is off",
}  # fmt: skip


@pytest.mark.parametrize(("mutant", "finding"), MUTANTS.items(), ids=MUTANTS.values())
def test_each_rule_can_fail(db: Session, mutant: str, finding: str) -> None:
    db.run(mutant)
    assert finding in catalogue.findings(db)


TOO_MUCH = {
    "grant all on crm_organizers to authenticated": ", truncate",
    "grant truncate on crm_organizers to authenticated": ", truncate",
    "grant update (total_revenue) on crm_organizers to authenticated": "total_revenue",
    "grant select (company_name) on crm_organizers to anon": "crm_organizers: anon select (company_name)",
    "grant select on crm_organizers to public": "crm_organizers: public select",
    "grant select on auth.users to authenticated": "auth.users: authenticated select",
    "grant usage on sequence crm_audit_id_seq to authenticated": "crm_audit_id_seq: authenticated usage",
    "grant execute on function app.write_audit() to public": "function app.write_audit(): public execute",
    "create function app.new() returns boolean language sql return true": "function app.new(): public execute",
    "grant usage on schema app to anon": "schema app: anon usage",
    "grant create on schema app to authenticated": "schema app: authenticated create, usage",
    "grant select on analytics.open_opportunities to anon": "analytics.open_opportunities: anon select",
    "create view analytics.new as select 1; grant insert on analytics.new to authenticated": "analytics.new: authenticated insert",
}


@pytest.mark.parametrize(("mutant", "line"), TOO_MUCH.items(), ids=TOO_MUCH)
def test_a_grant_too_many_is_seen(db: Session, mutant: str, line: str) -> None:
    before = catalogue.grants(db)
    db.run(mutant)
    added = set(catalogue.grants(db).splitlines()) - set(before.splitlines())
    assert any(line in grant for grant in added)

"""What the catalogue says of a migrated database: findings, and the grants in words. Used wherever one is looked at."""

import re
from collections.abc import Callable, Iterator

from tests.schema.session import Session

OURS = "('public', 'app', 'analytics', 'auth')"  # the schemas


def grants(db: Session) -> str:
    """Everything that anybody but the owner may do, as text: an object, who, and the verbs with their columns."""
    found = db.rows(
        f"""
        with acl (object, grantee, privilege, columns) as (
          select relation.oid::regclass::text, entry.grantee, entry.privilege_type, null
          from pg_class as relation, aclexplode(relation.relacl) as entry
          where relation.relnamespace::regnamespace::text in {OURS} and entry.grantee <> relation.relowner
          union all
          select relation.oid::regclass::text, entry.grantee, entry.privilege_type,
            string_agg(attname, ' ' order by attnum)
          from pg_class as relation
          join pg_attribute as attribute on attrelid = relation.oid, aclexplode(attribute.attacl) as entry
          where relation.relnamespace::regnamespace::text in {OURS} and entry.grantee <> relation.relowner
          group by 1, 2, 3
          union all
          select 'function ' || routine.oid::regprocedure::text, entry.grantee, lower(entry.privilege_type), null
          from pg_proc as routine,
            aclexplode(coalesce(routine.proacl, acldefault('f', routine.proowner))) as entry
          where routine.pronamespace::regnamespace::text in {OURS} and entry.grantee <> routine.proowner
            and not exists (select from pg_depend where objid = routine.oid and deptype = 'e')
          union all
          select 'schema ' || space.nspname, entry.grantee, entry.privilege_type, null
          from pg_namespace as space, aclexplode(space.nspacl) as entry
          where space.nspname in {OURS} and space.nspname <> 'public' and entry.grantee <> space.nspowner
          union all
          select 'public', entry.grantee, entry.privilege_type, null
          from pg_namespace as space, aclexplode(space.nspacl) as entry
          where space.nspname = 'public' and entry.privilege_type = 'CREATE' and entry.grantee <> space.nspowner
        )
        select object, case when grantee = 0 then 'public' else grantee::regrole::text end as grantee,
          lower(privilege) as privilege, columns
        from acl
        order by object, grantee, array_position(array['SELECT', 'INSERT', 'UPDATE', 'DELETE'], privilege), privilege
        """
    )
    lines: dict[tuple[str, str], list[str]] = {}
    for object_, grantee, privilege, columns in found:
        lines.setdefault((object_, grantee), []).append(privilege + (f" ({columns})" if columns else ""))
    return "\n".join(f"{object_}: {grantee} {', '.join(verbs)}" for (object_, grantee), verbs in lines.items())


def findings(db: Session) -> Iterator[str]:
    """Sentences about what must not be; none where all is well."""
    for check in CHECKS:
        yield from check(db)


def tables_without_protection(db: Session) -> Iterator[str]:
    """Row-level security off, or on without a policy though somebody has a grant."""
    for table in db.rows(
        f"""
        select oid::regclass::text as name, relrowsecurity as is_on,
          exists (select from pg_policy where polrelid = relation.oid) as has_policy,
          exists (select from aclexplode(relacl) as entry where entry.grantee <> relowner) as is_granted
        from pg_class as relation
        where relkind in ('r', 'p', 'f') and relnamespace::regnamespace::text in {OURS}
        """
    ):
        if not table.is_on:
            yield f"{table.name} has no row-level security"
        elif not table.has_policy and table.is_granted:
            yield f"{table.name} has no policy"


def views_with_their_owner_s_eyes(db: Session) -> Iterator[str]:
    """Views without security_invoker, and materialized views, which know no policies at all."""
    for (name,) in db.rows(
        f"""
        select oid::regclass::text from pg_class
        where relnamespace::regnamespace::text in {OURS}
          and (relkind = 'm' or relkind = 'v' and not coalesce(reloptions::text ~ 'security_invoker=(true|on)', false))
        """
    ):
        yield f"the view {name} has no security_invoker"


# Names of types that PostgreSQL looks up; integer, boolean, numeric and the like are keywords of its grammar.
_TYPES = "uuid|text|jsonb?|date|timestamptz?|reg[a-z]+|xid8|name|oid|record|bool|int[248]|float[48]"


def functions_that_can_be_hijacked(db: Session) -> Iterator[str]:
    """A search path that somebody else fills, or a body that looks its types up in pg_temp when it runs.

    Not of definers only: what they call, and the triggers that they fire, run with the same rights. But no definer
    calls what is in analytics, and a body of the standard's form was bound when it was created.
    """
    for routine in db.rows(
        f"""
        select routine.oid::regprocedure::text as name, prosecdef, coalesce(proconfig, '{{}}') as settings, lanname,
          prosqlbody is not null as is_bound, prosrc
        from pg_proc as routine
        join pg_language as language on language.oid = prolang
        where pronamespace::regnamespace::text in {OURS}
          and (prosecdef or pronamespace <> 'analytics'::regnamespace and prosqlbody is null)
          and not exists (select from pg_depend where objid = routine.oid and deptype = 'e')
        """
    ):
        if 'search_path=""' not in routine.settings:
            yield f"{routine.name}{' (definer)' if routine.prosecdef else ''} has no empty search_path"
        if routine.lanname == "sql" and not routine.is_bound:
            yield f"the body of {routine.name} is a string, looked up when it runs"
        if routine.lanname == "plpgsql":
            named = re.search(
                rf"(::\s*|\b(as|setof)\s+|^\s*\w+\s+)({_TYPES})\b\s*(\[\]|:=|;|\)|,|$)", routine.prosrc, re.MULTILINE
            )
            if named:
                yield f"{routine.name} names a type without its schema: {named[0].strip()}"
        if routine.lanname not in ("sql", "plpgsql"):
            yield f"{routine.name} is written in {routine.lanname}"


def foreign_keys_without_index(db: Session) -> Iterator[str]:
    """No index begins with the key's first column and holds only columns of the key before any other."""
    for name, table in db.rows(
        f"""
        select conname, conrelid::regclass::text from pg_constraint as key
        where contype = 'f' and connamespace::regnamespace::text in {OURS} and not exists (
          select from pg_index
          where indrelid = conrelid and indisvalid and indpred is null and indkey[0] = conkey[1])
        """
    ):
        yield f"the foreign key {name} of {table} has no index"


def relations_without_comment(db: Session) -> Iterator[str]:
    """Tables and views that do not say what one row of them is."""
    for (name,) in db.rows(
        f"""
        select oid::regclass::text from pg_class
        where relkind in ('r', 'p', 'v', 'm') and relnamespace::regnamespace::text in {OURS}
          and oid is distinct from to_regclass('app.alembic_version')  -- Alembic's
          and coalesce(obj_description(oid, 'pg_class'), '') = ''
        """
    ):
        yield f"{name} has no comment"


def odd_policies(db: Session) -> Iterator[str]:
    """Anything but one permissive policy a table and verb, for authenticated, with each helper in a sub-select."""
    for table, verb, count in db.rows(
        f"select tablename, cmd, count(*) from pg_policies where schemaname in {OURS} group by 1, 2 having count(*) > 1"
    ):
        yield f"{table} has {count} policies for {verb}"
    for policy in db.rows(f"select * from pg_policies where schemaname in {OURS}"):
        name = f"{policy.policyname} on {policy.tablename}"
        if policy.cmd == "ALL":
            yield f"{name} is for all verbs"
        if policy.permissive != "PERMISSIVE":
            yield f"{name} is restrictive"
        if policy.roles != ["authenticated"]:
            yield f"{name} is for {', '.join(policy.roles)}"
        if policy.cmd == "UPDATE" and not policy.with_check:
            yield f"{name} does not say what may come of an update"
        for condition in filter(None, (policy.qual, policy.with_check)):
            called = re.findall(r"(.{0,7})\b(app\.\w+)\(", condition)
            yield from (f"{name} calls {helper} for every row" for before, helper in called if before != "SELECT ")
            if "app." not in condition:
                yield f"{name} does not ask who is looking"


def tables_that_change_silently(db: Session) -> Iterator[str]:
    """Tables whose changes reach no open dashboard: without the notice, and not written by another's triggers."""
    for (name,) in db.rows(
        """
        select oid::regclass::text from pg_class as relation
        where relkind = 'r' and relnamespace = 'public'::regnamespace
          and relname not in ('crm_audit', 'crm_opportunity_history', 'crm_stage_history', 'crm_stage_stay_counts',
            'crm_activity_counts', 'crm_activity_counts_by_person', 'crm_undone', 'crm_submissions', 'crm_drafts',
            'crm_file_removals')
          and not exists (
            select from pg_trigger where tgrelid = relation.oid and tgfoid = 'app.announce'::regproc and tgenabled = 'O'
              and tgtype & 28 = 28)  -- insert, delete and update
        """
    ):
        yield f"{name} changes without a notice"


def sleeping_triggers(db: Session) -> Iterator[str]:
    """Triggers that are switched off."""
    for name, table in db.rows("select tgname, tgrelid::regclass::text from pg_trigger where tgenabled <> 'O'"):
        yield f"the trigger {name} of {table} is off"


def things_of_others(db: Session) -> Iterator[str]:
    """What the owner's login does not own, and so cannot migrate."""
    for name, owner in db.rows(
        f"""
        select oid::regclass::text, relowner::regrole::text from pg_class
        where relnamespace::regnamespace::text in {OURS} and relowner <> 'eventos_owner'::regrole
        """
    ):
        yield f"{name} belongs to {owner}"


Check = Callable[[Session], Iterator[str]]
CHECKS: list[Check] = [
    tables_without_protection, views_with_their_owner_s_eyes, functions_that_can_be_hijacked,
    foreign_keys_without_index, relations_without_comment, odd_policies, tables_that_change_silently,
    sleeping_triggers, things_of_others,
]  # fmt: skip

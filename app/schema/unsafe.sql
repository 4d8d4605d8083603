-- Why this login must not serve this database: one sentence a row, none where all is well. Asked at start as the app's
-- login, and by the catalogue test. It reads only the catalogue, which needs no grant.

with recursive
ours as (
  select relation.oid, relation.relname, relation.relowner, relation.relrowsecurity
  from pg_class as relation
  where relation.relnamespace = 'public'::regnamespace and relation.relkind in ('r', 'p')
    and (relation.relname like 'crm\_%' or relation.relname = 'events')
),
verbs (verb, command) as (
  values ('SELECT', 'r'), ('INSERT', 'a'), ('UPDATE', 'w'), ('DELETE', 'd')
),
readable as (  -- what answers with rows of ours: our tables, and whatever reads them, however far away
  select oid from ours
  union
  select rule.ev_class
  from readable
  join pg_depend as needs on needs.refclassid = 'pg_class'::regclass and needs.refobjid = readable.oid
    and needs.classid = 'pg_rewrite'::regclass
  join pg_rewrite as rule on rule.oid = needs.objid
)
select format('The login %s is a superuser, so the access rules do not hold for it.', rolname) as finding
from pg_roles where rolname = session_user and rolsuper
union all
select format('The login %s bypasses row-level security.', rolname)
from pg_roles where rolname = session_user and rolbypassrls
union all
select format('The login %s owns the table %s, so the access rules do not hold for it.', session_user, min(relname))
from ours where pg_get_userbyid(relowner) = session_user
having count(*) > 0
union all
select format('The login %s is a member of %s; it may become authenticated and nothing else.',
  session_user, held.roleid::regrole)
from pg_auth_members as held
where held.member = session_user::regrole and held.roleid <> 'authenticated'::regrole
union all
select format('The login %s may not become authenticated.', session_user)
where not pg_has_role(session_user, 'authenticated', 'member')
union all
select format('The table %s has no row-level security.', relname)
from ours where not relrowsecurity
union all
select format('The table %s allows %s to people and has no policy for it.', relname, verb)
from ours
cross join verbs
where has_any_column_privilege('authenticated', ours.oid, case verb when 'DELETE' then 'SELECT' else verb end)
  and (verb <> 'DELETE' or has_table_privilege('authenticated', ours.oid, 'DELETE'))
  and not exists (
    select from pg_policy where polrelid = ours.oid and polpermissive and polcmd in (command::"char", '*'))
union all
select format('The view %s answers with its owner''s rights: it lacks security_invoker.', view.oid::regclass)
from readable
join pg_class as view using (oid)
where view.relkind in ('v', 'm') and has_table_privilege('authenticated', view.oid, 'SELECT')
  and not coalesce('security_invoker=true' = any (view.reloptions) or 'security_invoker=on' = any (view.reloptions), false)

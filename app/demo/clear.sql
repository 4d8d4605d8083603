-- Before the demo company's rows come by COPY: leaves its tables empty and bare, and notes in `afterwards`, in order,
-- what puts everything back. Row by row, indexes and foreign keys would take four fifths of the time of COPY; made at
-- once when the rows are there, they take a fraction of that. All within the caller's transaction.

set local lock_timeout = '5s';  -- an open page holds its locks for moments; whatever holds them longer is in use
set local maintenance_work_mem = '256MB';  -- sorts for the indexes, and joins for the foreign keys, in memory

create temporary table loaded on commit drop as
select oid::regclass as name
from unnest(array[
  'crm_profiles', 'crm_user_roles', 'crm_pipeline_stages', 'crm_stage_history', 'crm_exchange_rates',
  'crm_email_templates', 'crm_organizers', 'crm_organizer_scores', 'crm_contacts', 'events', 'crm_opportunities',
  'crm_opportunity_history', 'crm_activities', 'crm_notes', 'crm_documents', 'crm_targets'
]) as wanted
join pg_class on oid = format('public.%I', wanted)::regclass;

create temporary table afterwards (
  step integer generated always as identity,
  statement text not null,
  undone text  -- what is done to have it missing meanwhile
) on commit drop;

insert into afterwards (statement, undone)
select concat_ws(';', pg_get_indexdef(indexrelid),
    format('comment on index %s is %L', indexrelid::regclass, obj_description(indexrelid, 'pg_class'))),
  format('drop index %s', indexrelid::regclass)
from pg_index
join loaded on loaded.name = indrelid
where not indisunique  -- what must be unique stays so at every moment
order by indrelid, indexrelid;

insert into afterwards (statement, undone)
select concat_ws(';', format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(rule.oid)),
    format('comment on constraint %I on %s is %L', conname, conrelid::regclass, obj_description(rule.oid, 'pg_constraint'))),
  format('alter table %s drop constraint %I', conrelid::regclass, conname)
from pg_constraint as rule
join loaded on loaded.name = conrelid
where contype = 'f'
order by conrelid, rule.oid;

-- Disabled, a trigger would still keep COPY from writing whole pages at once.
insert into afterwards (statement, undone)
select pg_get_triggerdef(oid), format('drop trigger %I on %s', tgname, tgrelid::regclass)
from pg_trigger
join loaded on loaded.name = tgrelid
where not tgisinternal
order by tgrelid, oid;

-- The rollups that triggers keep from here on.
insert into afterwards (statement) values ('select app.recount_stage_stays()'), ('select app.recount_activities()');
insert into afterwards (statement) select format('analyze %s', name) from loaded;
insert into afterwards (statement)
values ('analyze public.crm_stage_stay_counts, public.crm_activity_counts, public.crm_activity_counts_by_person'),
  ('notify eventos_changed');

do $$
declare
  away text;
begin
  for away in select undone from afterwards where undone is not null order by step desc loop
    execute away;
  end loop;
  -- What a migration put in (the default stages) gives way. COPY may freeze the rows of a table that was emptied in
  -- its own transaction: nothing is left for a vacuum, and index-only scans are that from the first page on.
  execute (select format('truncate %s cascade', string_agg(name::text, ', ')) from loaded);
end $$;

-- Undo: every change is one transaction of the audit, and can be put back as one.

-- What the audit has to know for it ---------------------------------------------------------------------------

-- When an opportunity entered its stage is no score: what takes a move back must find it.
create or replace function app.derived_columns() returns text[]
language sql immutable parallel safe
return array['updated_at', 'version', 'row_version', 'expected_revenue', 'engagement_score', 'health_score', 'churn_risk',
  'total_revenue', 'lifetime_value', 'annual_events', 'last_activity_at', 'last_contact_date', 'ai_score', 'ai_insights',
  'scored_at'];

create or replace function app.write_audit() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  before pg_catalog.jsonb;
  after pg_catalog.jsonb;
begin
  if tg_op = 'DELETE' then
    before := to_jsonb(old);  -- with its scores: what comes back shall have them
  elsif tg_op = 'UPDATE' then
    before := to_jsonb(old) - app.derived_columns();
  end if;
  if tg_op <> 'DELETE' then
    after := to_jsonb(new) - app.derived_columns();
  end if;
  if tg_op = 'UPDATE' then
    if before = after then
      return null;
    end if;
    select jsonb_object_agg(was.key, was.value), jsonb_object_agg(was.key, after -> was.key)
      into before, after
      from jsonb_each(before) as was
      where was.value is distinct from after -> was.key;
  end if;
  insert into public.crm_audit (occurred_at, table_name, record_id, verb, old, new, actor, login, transaction_id, reason)
  values (app.effective_time(), tg_table_name,
    -- the record's key has the name that the trigger was given: id, or user_id for people
    case when tg_argv[0] <> '' then (to_jsonb(case when tg_op = 'DELETE' then old else new end) ->> tg_argv[0])::pg_catalog.uuid end,
    lower(tg_op), before, after, app.actor_id(), session_user, pg_current_xact_id(),
    nullif(current_setting('eventos.reason', true), ''));
  return null;
end $$;

-- What an organizer's removal takes along, and no refresh can compute again.
create trigger write_audit after delete on public.crm_organizer_scores
  for each row execute function app.write_audit('organizer_id');
create trigger write_audit after delete on public.crm_organizer_health
  for each row execute function app.write_audit('organizer_id');

create table public.crm_undone (
  change xid8 primary key,
  undone_by xid8 not null unique
);
comment on table public.crm_undone is 'Changes that do not hold any more because they were undone, and the change that did it; once that is undone too, they hold again. Written by app.undo only.';
call app.protect('public.crm_undone');
grant select on public.crm_undone to authenticated;
create policy undone_select on public.crm_undone for select to authenticated
  using ((select app.viewer_role()) is not null);

-- A move that is taken back ended no stay: the opportunity was in its stage all the time, and is as old there as before.
create or replace function app.keep_opportunity_history() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  deal public.crm_opportunities := case when tg_op = 'DELETE' then old else new end;
  latest public.crm_opportunity_history;
  interrupted public.crm_opportunity_history;
  moment pg_catalog.timestamptz := app.effective_time();
begin
  if tg_op = 'UPDATE' and
    (new.organizer_id, new.stage_id, new.value, new.currency, new.probability, new.probability_source,
      new.expected_close_date, new.actual_close_date, new.assigned_to, new.status) is not distinct from
    (old.organizer_id, old.stage_id, old.value, old.currency, old.probability, old.probability_source,
      old.expected_close_date, old.actual_close_date, old.assigned_to, old.status) then
    return null;
  end if;
  select * into latest from public.crm_opportunity_history as version
  where version.opportunity_id = deal.id and version.valid_to is null;
  if latest.valid_from >= moment then  -- changed twice at one moment: only the later state is history
    moment := latest.valid_from;
    delete from public.crm_opportunity_history where opportunity_id = deal.id and seq = latest.seq;
    select * into latest from public.crm_opportunity_history as version
    where version.opportunity_id = deal.id and version.seq = latest.seq - 1;
  end if;
  if latest.stage_id <> deal.stage_id then
    select * into interrupted from public.crm_opportunity_history as version
    where version.opportunity_id = deal.id and version.stage_id = deal.stage_id and version.next_stage_id is not null
      and exists (select from public.crm_undone where undone_by = pg_current_xact_id())
    order by version.seq desc limit 1;
  end if;
  update public.crm_opportunity_history
  set valid_to = case when seq = latest.seq then moment else valid_to end,
    next_stage_id = case when seq = latest.seq and stage_id <> deal.stage_id and tg_op <> 'DELETE' and interrupted.seq is null
      then deal.stage_id end
  where opportunity_id = deal.id and seq in (latest.seq, interrupted.seq);
  insert into public.crm_opportunity_history (opportunity_id, seq, valid_from, organizer_id, stage_id, stage_entered_at,
    value, currency, probability, probability_source, expected_close_date, actual_close_date, assigned_to, status,
    created_at, is_deleted, changed_by)
  values (deal.id, coalesce(latest.seq, 0) + 1, moment, deal.organizer_id, deal.stage_id,
    case when latest.stage_id = deal.stage_id then latest.stage_entered_at else coalesce(interrupted.stage_entered_at, moment) end,
    deal.value, deal.currency, deal.probability, deal.probability_source, deal.expected_close_date,
    deal.actual_close_date, deal.assigned_to, deal.status, deal.created_at,
    tg_op = 'DELETE', app.actor_id());
  return null;
end $$;

-- Who may change what -----------------------------------------------------------------------------------------

create function app.undoable() returns text[]
language sql immutable parallel safe
return array['crm_settings', 'crm_profiles', 'crm_user_roles', 'crm_pipeline_stages', 'crm_exchange_rates', 'crm_email_templates',
  'crm_organizers', 'crm_contacts', 'events', 'crm_opportunities', 'crm_activities', 'crm_notes', 'crm_documents', 'crm_targets',
  'crm_forecast_adjustments', 'crm_organizer_scores', 'crm_organizer_health'];
comment on function app.undoable is 'The tables whose changes are put back; what others refer to comes first.';

create function app.may_change(record_table text, variadic records jsonb[]) returns boolean
language sql stable security definer set search_path = ''
begin atomic
  select coalesce(bool_and(coalesce(
    case
      when record_table = any (app.undoable()) and (select app.is_admin()) then true
      when record_table = 'crm_organizers' then
        (record ->> 'assigned_to')::uuid = any ((select app.team())::uuid[])
      when record_table = 'crm_opportunities' then
        (record ->> 'assigned_to')::uuid = any ((select app.team())::uuid[])
        and (record ->> 'organizer_id')::uuid in (select app.own_organizers())
      when record_table in ('crm_contacts', 'events') then
        (record ->> 'organizer_id')::uuid in (select app.own_organizers())
      when record_table = 'crm_activities' then
        (record ->> 'user_id')::uuid = (select app.viewer_id()) and (select app.viewer_role()) in ('rep', 'manager')
      when record_table = 'crm_notes' then
        (record ->> 'created_by')::uuid = (select app.viewer_id())
        and (record ->> 'organizer_id')::uuid in (select app.own_organizers())
      when record_table = 'crm_documents' then
        (record ->> 'uploaded_by')::uuid = (select app.viewer_id())
        and (record ->> 'organizer_id')::uuid in (select app.own_organizers())
      when record_table = 'crm_targets' then
        (select app.viewer_role()) = 'manager' and (record ->> 'user_id')::uuid = any ((select app.team())::uuid[])
      when record_table = 'crm_forecast_adjustments' then
        (record ->> 'author_id')::uuid = (select app.viewer_id()) and (select app.viewer_role()) = 'manager'
        and (record ->> 'owner_id')::uuid = any ((select app.team())::uuid[])
    end, false)), true)
  from unnest(records) as record;
end;
comment on function app.may_change is 'Whether the update policies let the viewer change every one of these rows.';

create function app.may_become(record_table text, variadic records jsonb[]) returns boolean
language sql stable security definer set search_path = ''
begin atomic
  select app.may_change(record_table, variadic records) and (
    record_table <> 'crm_activities' or app.is_admin()
    or coalesce(bool_and(coalesce((record ->> 'organizer_id')::uuid in (select app.own_organizers()), false)), true))
  from unnest(records) as record;
end;
comment on function app.may_become is 'Whether the update policies let each of these rows come of the viewer''s change.';

-- A change in words -------------------------------------------------------------------------------------------

create function app.record_key(record_table text) returns text
language sql immutable parallel safe
return case when record_table in ('crm_profiles', 'crm_user_roles') then 'user_id'
  when record_table in ('crm_organizer_scores', 'crm_organizer_health') then 'organizer_id' else 'id' end;
comment on function app.record_key is 'The column that the audit calls record_id.';

create function app.record_name(record jsonb) returns text
language sql immutable parallel safe
return coalesce(record ->> 'company_name', record ->> 'full_name', record ->> 'name', record ->> 'subject', record ->> 'title',
  record ->> 'file_name', left(record ->> 'content', 60), nullif(concat_ws(' ', record ->> 'currency', record ->> 'rate_date'), ''));
comment on function app.record_name is 'What people call a record, from its row; null where its table has no names.';

create function app.record_noun(record_table text) returns text
language sql immutable parallel safe
return case record_table when 'crm_opportunities' then 'opportunity' when 'crm_activities' then 'activity'
  when 'crm_profiles' then 'person' when 'crm_user_roles' then 'role' when 'crm_settings' then 'settings'
  else replace(regexp_replace(regexp_replace(record_table, '^crm_', ''), 's$', ''), '_', ' ') end;

create function app.name_of(record_table text, record uuid) returns text
language plpgsql stable security definer set search_path = ''
as $$
declare
  found_record pg_catalog.jsonb;
begin
  execute format('select to_jsonb(record) from public.%I as record where record.%I::text = $1 limit 1', record_table,
    app.record_key(record_table)) into found_record using record::pg_catalog.text;
  if found_record is null then
    select entry.old into found_record from public.crm_audit as entry
    where entry.table_name = record_table and entry.record_id = record and entry.verb = 'delete'
    order by entry.id desc limit 1;
  end if;
  return app.record_name(found_record);
end $$;
comment on function app.name_of is 'What people call the record, also of one that is gone. For the owner: it asks nobody''s policy.';

create function app.deed(entry public.crm_audit) returns text
language sql stable security definer set search_path = ''
begin atomic
  select format('%s %s the %s%s',
    coalesce((select person.full_name from public.crm_profiles as person where person.user_id = (entry).actor), 'A job of the system'),
    case (entry).verb
      when 'insert' then 'added'
      when 'delete' then 'deleted'
      else format('changed %s of', coalesce((
        select string_agg(replace(regexp_replace(changed.key, '_id$', ''), '_', ' '), ', ' order by changed.key)
        from jsonb_object_keys((entry).new) as changed (key)
        where changed.key not like 'probability\_%' and changed.key <> 'last_stage_change_at'), 'something'))
    end,
    app.record_noun((entry).table_name), ' “' || app.name_of((entry).table_name, (entry).record_id) || '”');
end;
comment on function app.deed is 'Who did what, in words. For the owner: it asks nobody''s policy.';

create function app.told(entry public.crm_audit) returns text
language sql stable set search_path = ''
return app.deed(entry) || to_char((entry).occurred_at, '" on "FMDD Mon YYYY, HH24:MI');
comment on function app.told is 'The same with when, on the clock of the transaction.';

-- Undo ----------------------------------------------------------------------------------------------------------

create function app.entries_of(change xid8) returns setof public.crm_audit
language sql stable security definer set search_path = ''
begin atomic
  select entry.* from public.crm_audit as entry
  where entry.transaction_id = change and entry.table_name <> 'crm_outbox';  -- what waits there is called off by its own rule
end;

create function app.same_record(record_table text) returns text
language sql immutable parallel safe
return case when record_table = 'crm_settings' then 'true' else format('target.%I = entry.record', app.record_key(record_table)) end;

create function app.put_back(record_table text, verb text, records uuid[], olds jsonb[]) returns void
language plpgsql set search_path = ''
as $$
declare
  columns pg_catalog.text[] := array(
    select quote_ident(attribute.attname) from pg_attribute as attribute
    where attribute.attrelid = format('public.%I', record_table)::pg_catalog.regclass and attribute.attnum > 0
      and not attribute.attisdropped and attribute.attgenerated = '' and olds[1] ? attribute.attname::pg_catalog.text
    order by attribute.attnum);
  changed bigint;
begin
  if verb = 'update' then
    execute format(
      'update public.%1$I as target set %2$s'
      ' from unnest($1, $2) as entry (record, old), jsonb_populate_record(null::public.%1$I, entry.old) as was where %3$s',
      record_table, (select string_agg(format('%1$s = was.%1$s', held.name), ', ') from unnest(columns) as held (name)),
      app.same_record(record_table))
      using records, olds;
  elsif verb = 'insert' then
    execute format('delete from public.%I as target using unnest($1) as entry (record) where %s',
      record_table, app.same_record(record_table))
      using records;
  else
    execute format(
      'insert into public.%1$I (%2$s) overriding system value select %2$s'
      ' from unnest($1) as entry (old), jsonb_populate_record(null::public.%1$I, entry.old)',
      record_table, array_to_string(columns, ', '))
      using olds;
  end if;
  get diagnostics changed = row_count;
  if changed <> cardinality(records) then
    raise sqlstate 'U0001' using message = 'Somebody else changed the same records at this moment. Nothing was undone; try again.';
  end if;
end $$;
comment on function app.put_back is 'Takes back what one verb did to records of one table, in the same columns of all.';

create function app.refuse_what_hangs_on(record_table text, records uuid[]) returns void
language plpgsql set search_path = ''
as $$
declare
  child pg_catalog.record;
  hanging pg_catalog.uuid;
  latest public.crm_audit;
begin
  for child in
    select relation.relname as child_table, attribute.attname as refers
    from pg_constraint as rule
    join pg_class as relation on relation.oid = rule.conrelid
    join pg_attribute as target on target.attrelid = rule.confrelid and target.attname = app.record_key(record_table)
    join pg_attribute as attribute on attribute.attrelid = rule.conrelid
      and attribute.attnum = rule.conkey[array_position(rule.confkey, target.attnum)]
    where rule.contype = 'f' and rule.confrelid = format('public.%I', record_table)::pg_catalog.regclass
      and relation.relname not in ('crm_organizer_scores', 'crm_organizer_health', 'crm_outbox')  -- computed, or called off
  loop
    execute format('select %1$I from public.%2$I where %3$I = any ($1) and not (%4$L and %1$I = any ($1)) limit 1',
      app.record_key(child.child_table), child.child_table, child.refers, child.child_table = record_table)
      into hanging using records;
    if hanging is not null then
      select * into latest from public.crm_audit as entry
      where entry.table_name = child.child_table and entry.record_id = hanging order by entry.id desc limit 1;
      raise sqlstate 'U0001' using message = format('%s, and it hangs on what would go. Undo that first. Nothing was undone.',
        coalesce(app.told(latest), format('There is a %s by now', app.record_noun(child.child_table))));
    end if;
  end loop;
end $$;
comment on function app.refuse_what_hangs_on is 'Raises where other records refer to one of these, naming the first.';

create function app.refuse_what_stands_on(change xid8) returns void
language plpgsql set search_path = ''
as $$
declare
  touched pg_catalog.record;
  standing pg_catalog.record;
  latest public.crm_audit;
  mine pg_catalog.bool;
begin
  for touched in
    select kept.table_name, max(kept.last_id) as last_id,
      coalesce(array_agg(kept.record_id) filter (where kept.is_there), '{}') as records,
      coalesce(array_agg(kept.state) filter (where kept.is_there), '{}') as states,
      coalesce(array_agg(kept.record_id) filter (where not kept.is_there), '{}') as gone
    from (
      select entry.table_name, entry.record_id, max(entry.id) as last_id,
        (array_agg(entry.verb order by entry.id desc))[1] <> 'delete' as is_there,
        coalesce(jsonb_object_agg(field.key, field.value order by entry.id) filter (where field.key is not null), '{}') as state
      from app.entries_of(change) as entry
      left join lateral jsonb_each(entry.new) as field on true
      group by entry.table_name, entry.record_id
    ) as kept
    where kept.table_name not in ('crm_organizer_scores', 'crm_organizer_health')
    group by kept.table_name
  loop
    execute format('select from public.%I as target, unnest($1) as entry (record) where %s for update of target',
      touched.table_name, app.same_record(touched.table_name)) using touched.records;
    -- Compared as values, not as texts: the audit writes a moment with the offset of whoever made the change.
    for standing in execute format(
      'select entry.record, array(select jsonb_object_keys(entry.state)) as columns'
      ' from unnest($1, $2) as entry (record, state) left join public.%1$I as target on %2$s'
      ' where target.%3$I is null or jsonb_populate_record(target, entry.state) is distinct from target'
      ' union all'
      ' select entry.record, null from unnest($3) as entry (record) join public.%1$I as target on %2$s limit 1',
      touched.table_name, app.same_record(touched.table_name), app.record_key(touched.table_name))
      using touched.records, touched.states, touched.gone
    loop
      select * into latest from public.crm_audit as entry
      where entry.table_name = touched.table_name and entry.record_id is not distinct from standing.record
        and entry.id > touched.last_id
      order by entry.verb <> 'update' or standing.columns is null or entry.new ?| standing.columns desc, entry.id desc limit 1;
      raise sqlstate 'U0001' using message = format('%s, and that stands on it. Undo that first. Nothing was undone.',
        coalesce(app.told(latest), 'Something in it has been changed since'));
    end loop;
    execute format('select app.may_change(%2$L, variadic coalesce(array_agg(to_jsonb(target)), ''{}''))'
      ' from public.%1$I as target, unnest($1) as entry (record) where %3$s',
      touched.table_name, touched.table_name, app.same_record(touched.table_name)) into mine using touched.records;
    if not mine then
      perform app.refuse_what_is_not_ours();
    end if;
  end loop;
end $$;
comment on function app.refuse_what_stands_on is 'Raises unless every record of the change is as the change left it, and the viewer''s to change; locks them.';

create function app.refuse_what_is_not_ours() returns void
language plpgsql set search_path = ''
as $$
begin
  raise sqlstate 'U0002' using
    message = 'Not every record in it is yours to change. Ask an admin to undo it. Nothing was undone.';
end $$;

create function app.replay(change xid8, by_kinds boolean) returns void
language plpgsql set search_path = ''
as $$
declare
  step pg_catalog.record;
begin
  set constraints all deferred;
  for step in
    with entry as (
      select one.id, one.table_name, one.record_id, one.verb, one.old,
        case when one.verb <> 'insert' then array(select jsonb_object_keys(one.old) order by 1) end as columns
      from app.entries_of(change) as one
    ),
    placed as (
      select entry.*, row_number() over (order by entry.id) - row_number() over (
        partition by entry.table_name, entry.verb, entry.columns order by entry.id) as place
      from entry
    ),
    turned as (
      select placed.*, case when placed.verb = 'update' then row_number() over (
        partition by placed.table_name, placed.columns, placed.place, placed.record_id order by placed.id desc) end as turn
      from placed
    )
    select turned.table_name, turned.verb, array_agg(turned.record_id order by turned.id desc) as records,
      array_agg(turned.old order by turned.id desc) as olds
    from turned
    group by turned.table_name, turned.verb, turned.columns, turned.place, turned.turn
    order by case when by_kinds then array_position(array['delete', 'update', 'insert'], turned.verb) end,
      case when by_kinds and turned.verb = 'delete' then array_position(app.undoable(), turned.table_name)
        when by_kinds and turned.verb = 'insert' then -array_position(app.undoable(), turned.table_name) end,
      max(turned.id) desc
  loop
    if step.verb = 'insert' then
      perform app.refuse_what_hangs_on(step.table_name, step.records);
    end if;
    if cardinality(step.records) = 1 then
      perform app.put_back(step.table_name, step.verb, step.records, step.olds);
      continue;
    end if;
    begin
      perform app.put_back(step.table_name, step.verb, step.records, step.olds);
    exception when unique_violation then
      -- Of two that change places, one has to go first: of the primary contacts of an organizer, the later one.
      for place in 1 .. cardinality(step.records) loop
        perform app.put_back(step.table_name, step.verb, step.records[place:place], step.olds[place:place]);
      end loop;
    end;
  end loop;
  set constraints all immediate;
end $$;
comment on function app.replay is 'Takes back every entry of a change: what one statement did by one statement, the last first; or by kinds: first what was deleted comes back, parents first, then what was updated, then what was added goes. A deletion is in the audit before those that it caused, so backwards alone would bring children back before their parents.';

create function app.undo(change xid8, out records uuid[], out name text)
language plpgsql security definer set search_path = ''
as $$
declare
  touched pg_catalog.record;
  mine pg_catalog.bool;
  why pg_catalog.text;
begin
  if app.viewer_role() is null or not exists (select from app.entries_of(change)) then
    raise sqlstate 'U0003' using message = 'There is no such change, or nothing in it that can be undone.';
  end if;
  if not app.is_admin() and exists (
    select from app.entries_of(change) as entry where entry.actor is distinct from app.viewer_id())
  then
    raise sqlstate 'U0002' using message = 'Somebody else made this change: they or an admin can undo it.';
  end if;
  if exists (select from app.entries_of(change) as entry where entry.table_name = 'crm_stage_changes') then
    raise sqlstate 'U0001' using
      message = 'This set the probability of a stage. Take it back on the page Stages, which knows what followed it.';
  end if;
  delete from public.crm_undone as undone where undone.undone_by = undo.change;
  -- Whoever undoes the same at the same moment waits here.
  insert into public.crm_undone (change, undone_by) values (undo.change, pg_current_xact_id())
  on conflict on constraint crm_undone_pkey do nothing;
  if not found then
    raise sqlstate 'U0001' using message = 'This is undone already. Nothing was changed.';
  end if;
  perform app.refuse_what_stands_on(change);

  select left(case when entry.reason like 'Undone: %' then 'Redone: ' || substr(entry.reason, 9)
    when entry.reason like 'Redone: %' then 'Undone: ' || substr(entry.reason, 9)
    else 'Undone: ' || coalesce(entry.reason, app.deed(entry)) end, 2000) into why
  from app.entries_of(change) as entry order by entry.id limit 1;
  perform set_config('eventos.reason', why, true);
  perform set_config('eventos.undoing', 'yes', true);
  begin
    begin
      perform app.replay(change, true);
    exception when unique_violation then
      perform app.replay(change, false);  -- one gave up what the other has now: only backwards are both never there at once
    end;
  exception
    when unique_violation then
      raise sqlstate 'U0001' using
        message = 'Another record has by now what is the only one of its kind in what would come back. Nothing was undone.';
    when foreign_key_violation then
      raise sqlstate 'U0001' using message = 'What it belonged to has been deleted since. Nothing was undone.';
  end;
  perform set_config('eventos.undoing', '', true);

  for touched in
    select entry.table_name, array_agg(distinct entry.record_id) as records
    from app.entries_of(change) as entry group by entry.table_name
  loop
    execute format('select app.may_become(%2$L, variadic coalesce(array_agg(to_jsonb(target)), ''{}''))'
      ' from public.%1$I as target, unnest($1) as entry (record) where %3$s',
      touched.table_name, touched.table_name, app.same_record(touched.table_name)) into mine using touched.records;
    if not mine then
      perform app.refuse_what_is_not_ours();
    end if;
  end loop;
  select array_agg(distinct entry.record_id),
    case when count(distinct entry.record_id) = 1 then app.name_of(min(entry.table_name), min(entry.record_id::pg_catalog.text)::pg_catalog.uuid) end
    into records, name
  from app.entries_of(change) as entry;
end $$;
comment on function app.undo is 'Puts back everything of one transaction of the audit, as a change of its own. For whoever made it while every record of it is theirs to change, before and after; and for admins. Refused where a later change stands on it.';

create function app.restore(record_table text, record uuid, entry bigint) returns void
language plpgsql set search_path = ''
as $$
declare
  was pg_catalog.jsonb;
  columns pg_catalog.text;
  changed bigint;
begin
  select told.old into was from app.record_history(record_table, record) as told where told.id = entry and told.verb = 'update';
  if not found then
    raise sqlstate 'U0003' using message = 'This entry is gone, or there is nothing in it to go back to.';
  end if;
  if was ->> 'probability_source' in ('import', 'model') then
    was := was - 'probability_source';  -- the number comes back as the viewer's own
  end if;
  select string_agg(quote_ident(attribute.attname), ', ' order by attribute.attnum) into columns
  from pg_attribute as attribute
  where attribute.attrelid = format('public.%I', record_table)::pg_catalog.regclass and not attribute.attisdropped
    and was ? attribute.attname::pg_catalog.text and has_column_privilege(attribute.attrelid, attribute.attnum, 'update');
  if columns is null then
    raise sqlstate 'U0002' using message = 'What this entry changed is not for people to change by hand. Nothing was restored.';
  end if;
  execute format('update public.%1$I as target set (%2$s) = (select %2$s from jsonb_populate_record(null::public.%1$I, $2))'
    ' where target.%3$I = $1', record_table, columns, app.record_key(record_table)) using record, was;
  get diagnostics changed = row_count;
  if changed <> 1 then
    raise sqlstate 'U0002' using message = 'This record is not yours to change, or is gone. Nothing was restored.';
  end if;
end $$;
comment on function app.restore is 'Gives the columns that an entry of the record''s history changed what they held before it, as an edit of the viewer''s.';

-- Merging two organizers ----------------------------------------------------------------------------------------

create function app.united_tags(ours text[], theirs text[]) returns text[]
language sql immutable parallel safe
return (select coalesce(array_agg(once.tag order by once.place), '{}') from (
  select tag, min(place) as place from unnest(ours || theirs) with ordinality as all_of_them (tag, place)
  group by tag order by 2 limit 50) as once);
comment on function app.united_tags is 'The tags of both, each once; those beyond the 50 that a record may have are left out.';

create function app.merge_organizers(kept uuid, merged uuid) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
  target public.crm_organizers;
  source public.crm_organizers;
  child pg_catalog.text;
  mine pg_catalog.bool;
  moved pg_catalog.jsonb := '{}';
  united pg_catalog.jsonb;
  number bigint;
  had_primary pg_catalog.bool;
begin
  perform from public.crm_organizers as organizer where organizer.id in (kept, merged) order by organizer.id for update;
  select * into target from public.crm_organizers as organizer where organizer.id = kept;
  select * into source from public.crm_organizers as organizer where organizer.id = merged and organizer.id <> kept;
  if target.id is null or source.id is null
    or not app.may_change('crm_organizers', to_jsonb(target), to_jsonb(source)) then
    raise sqlstate 'U0003' using message = 'One of the two organizers is gone, or is not yours to change. Nothing was merged.';
  end if;
  foreach child in array array['crm_contacts', 'crm_opportunities', 'crm_activities', 'crm_notes', 'crm_documents', 'events'] loop
    execute format('select app.may_change(%1$L, variadic coalesce(array_agg(to_jsonb(record)), ''{}'')), count(*)'
      ' from public.%1$I as record where record.organizer_id = $1', child) into mine, number using merged;
    if not mine then
      raise sqlstate 'U0002' using message = format('On “%s” hang records of colleagues. Ask an admin to merge. Nothing was merged.',
        source.company_name);
    end if;
    moved := moved || jsonb_build_object(regexp_replace(child, '^crm_', ''), number);
  end loop;
  set constraints all deferred;  -- what belongs together moves in several steps

  -- People who are on both sides become one; whoever is the primary contact of the one that stays remains it.
  select coalesce(jsonb_object_agg(theirs.id, ours.id), '{}') into united
  from public.crm_contacts as theirs
  join public.crm_contacts as ours on ours.organizer_id = kept and lower(ours.email) = lower(theirs.email)
  where theirs.organizer_id = merged;
  had_primary := exists (select from public.crm_contacts as contact where contact.organizer_id = kept and contact.is_primary);
  update public.crm_activities as activity set contact_id = (united ->> activity.contact_id::pg_catalog.text)::pg_catalog.uuid, organizer_id = kept
  where activity.organizer_id = merged and united ? activity.contact_id::pg_catalog.text;
  update public.crm_notes as note set contact_id = (united ->> note.contact_id::pg_catalog.text)::pg_catalog.uuid, organizer_id = kept
  where note.organizer_id = merged and united ? note.contact_id::pg_catalog.text;
  with theirs as (
    delete from public.crm_contacts as contact
    where contact.organizer_id = merged and united ? contact.id::pg_catalog.text
    returning contact.*
  )
  update public.crm_contacts as ours
  set title = coalesce(ours.title, theirs.title), department = coalesce(ours.department, theirs.department),
    phone = coalesce(ours.phone, theirs.phone), mobile = coalesce(ours.mobile, theirs.mobile),
    linkedin_url = coalesce(ours.linkedin_url, theirs.linkedin_url),
    influence_level = coalesce(ours.influence_level, theirs.influence_level),
    is_primary = ours.is_primary or theirs.is_primary and not had_primary,
    is_decision_maker = ours.is_decision_maker or theirs.is_decision_maker, vip_status = ours.vip_status or theirs.vip_status,
    notes = left(nullif(concat_ws(e'\n\n', ours.notes, theirs.notes), ''), 20000), tags = app.united_tags(ours.tags, theirs.tags)
  from theirs
  where ours.id = (united ->> theirs.id::pg_catalog.text)::pg_catalog.uuid;
  update public.crm_contacts as contact set organizer_id = kept, is_primary = contact.is_primary and not had_primary
  where contact.organizer_id = merged;

  -- Two files of one name are not versions of one document.
  update public.crm_documents as document
  set organizer_id = kept, file_name = case when exists (
      select from public.crm_documents as other where other.organizer_id = kept and other.file_name = document.file_name)
    then right(replace(replace(left(source.company_name, 100), '/', '-'), '\', '-') || ' - ' || document.file_name, 255)
    else document.file_name end
  where document.organizer_id = merged;
  update public.crm_opportunities as deal set organizer_id = kept where deal.organizer_id = merged;
  update public.crm_activities as activity set organizer_id = kept where activity.organizer_id = merged;
  update public.crm_notes as note set organizer_id = kept where note.organizer_id = merged;
  if exists (select from pg_trigger where tgrelid = 'public.events'::pg_catalog.regclass and tgname = 'write_audit') then
    update public.events as event set organizer_id = kept where event.organizer_id = merged;  -- a platform's own could not be put back
  end if;

  update public.crm_organizers as organizer
  set industry = coalesce(organizer.industry, source.industry), company_size = coalesce(organizer.company_size, source.company_size),
    website = coalesce(organizer.website, source.website), lead_source = coalesce(organizer.lead_source, source.lead_source),
    primary_email = coalesce(organizer.primary_email, source.primary_email),
    primary_phone = coalesce(organizer.primary_phone, source.primary_phone),
    address = source.address || organizer.address, tags = app.united_tags(organizer.tags, source.tags),
    event_history = (
      select coalesce(jsonb_agg(once.event order by once.place), '[]')
      from (
        select distinct on (coalesce(held.event ->> 'event_id', held.event::pg_catalog.text)) held.event, held.place
        from jsonb_array_elements(organizer.event_history || source.event_history) with ordinality as held (event, place)
        order by coalesce(held.event ->> 'event_id', held.event::pg_catalog.text), held.place
      ) as once)
  where organizer.id = kept;
  update public.crm_organizers as organizer set status = 'archived', event_history = '[]' where organizer.id = merged;
  insert into public.crm_notes (organizer_id, title, content, is_pinned, created_by)
  values (merged, 'Merged', format('This is now “%s”: everything that hung here was moved there.', target.company_name), true,
    app.viewer_id());
  set constraints all immediate;
  return moved || jsonb_build_object('united', (select count(*) from jsonb_object_keys(united)));
end $$;
comment on function app.merge_organizers is 'Moves all that hangs on one organizer to another and archives it; returns how much of what. For whoever may change all of it.';

-- Organizers that may be the same -------------------------------------------------------------------------------

create function app.bare_name(value text) returns text
language sql immutable parallel safe set search_path = ''
return coalesce(nullif(btrim(regexp_replace(regexp_replace(' ' || app.fold(value), '[^[:alnum:]]+', ' ', 'g'),
  '^ the (?=.)|( (inc|incorporated|ltd|limited|ltee|llc|llp|lp|corp|corporation|co|company|gmbh|ag|kg|sa|sas|sarl|srl|bv|ab|oy|plc|pty|group))+ ?$', '', 'g')), ''),
  app.fold(value));
comment on function app.bare_name is 'A company''s name without case, accents, punctuation and legal form.';

create function app.web_domain(website text) returns text
language sql immutable parallel safe
return regexp_replace(lower(substring(website from '^https?://([^/:?#]+)')), '^www\.', '');
comment on function app.web_domain is 'The host of an address, without www.';

do $$
begin
  if to_regprocedure('public.similarity(text, text)') is not null then
    create function app.likeness(one text, other text) returns real
    language sql immutable parallel safe set search_path = ''
    return public.similarity(one, other);
  else
    create function app.likeness(one text, other text) returns real
    language sql immutable parallel safe set search_path = ''
    return case when one = other then 1 else 0 end;
  end if;
end $$;
comment on function app.likeness is 'How much two names have in common, 0 to 1: by their trigrams where the extension is installed, else all or nothing.';

-- A record's history --------------------------------------------------------------------------------------------

create or replace function app.may_see(record_table text, record uuid) returns boolean
language plpgsql stable security definer set search_path = ''
as $$
declare
  found_record pg_catalog.jsonb;
begin
  if app.sees_all() then
    return true;
  elsif record_table in ('crm_pipeline_stages', 'crm_email_templates', 'crm_exchange_rates') then
    return app.viewer_role() is not null;
  elsif record_table not in ('crm_organizers', 'crm_contacts', 'crm_opportunities', 'crm_activities', 'crm_notes',
      'crm_documents', 'crm_targets', 'crm_forecast_adjustments', 'events') then
    return false;
  end if;
  -- Read as it comes, because a platform's own events may have other columns.
  execute format('select to_jsonb(record) from public.%I as record where record.id = $1', record_table)
    into found_record using record;
  if found_record is null then
    return app.viewer_role() is not null and coalesce((
      select entry.verb = 'delete' and entry.actor = app.viewer_id() from public.crm_audit as entry
      where entry.table_name = record_table and entry.record_id = record order by entry.id desc limit 1), false);
  elsif record_table = 'crm_forecast_adjustments' then
    return coalesce(app.viewer_role() = 'manager' and (found_record ->> 'owner_id')::pg_catalog.uuid = any (app.team()), false);
  end if;
  return coalesce((found_record ->> 'assigned_to')::pg_catalog.uuid = any (app.team()), false)
    or coalesce((found_record ->> 'user_id')::pg_catalog.uuid = any (app.team()), false)
    or coalesce((found_record ->> 'organizer_id')::pg_catalog.uuid in (select app.own_organizers()), false);
end $$;
comment on function app.may_see is 'Whether the viewer''s policies show this record; one that is gone is seen by whoever removed it, executives and admins.';

-- What forms keep for one person --------------------------------------------------------------------------------

create table public.crm_submissions (
  key uuid primary key,
  user_id uuid not null default app.actor_id() references auth.users (id),
  change xid8 not null default pg_current_xact_id(),
  result jsonb not null default '{}' check (jsonb_typeof(result) = 'object' and length(result::text) <= 1000000),
  made_at timestamptz not null default now()
);
comment on table public.crm_submissions is 'What a form was saved as: the same form sent twice is saved once.';
comment on column public.crm_submissions.key is 'Made with the form, so that it is the same at the second click.';
create index idx_submissions_user on public.crm_submissions (user_id);

create table public.crm_drafts (
  user_id uuid not null default app.actor_id() references auth.users (id),
  form text not null check (app.is_line(form, 200)),
  base jsonb not null check (jsonb_typeof(base) = 'object' and length(base::text) <= 1000000),
  given jsonb not null check (jsonb_typeof(given) = 'object' and length(given::text) <= 1000000),
  saved_at timestamptz not null default now(),
  primary key (user_id, form)
);
comment on table public.crm_drafts is 'What somebody typed into a form and has not saved. Neither audited nor announced: it is nobody else''s.';
comment on column public.crm_drafts.base is 'What the form showed when it was opened.';

call app.protect('public.crm_submissions');
grant select, insert (key, user_id, result) on public.crm_submissions to authenticated;
create policy submissions_select on public.crm_submissions for select to authenticated
  using (user_id = (select app.viewer_id()) and (select app.viewer_role()) is not null);
create policy submissions_insert on public.crm_submissions for insert to authenticated
  with check (user_id = (select app.viewer_id()) and (select app.viewer_role()) is not null);

call app.protect('public.crm_drafts');
grant select, delete, insert (user_id, form, base, given, saved_at), update (base, given, saved_at)
  on public.crm_drafts to authenticated;
create policy drafts_select on public.crm_drafts for select to authenticated
  using (user_id = (select app.viewer_id()) and (select app.viewer_role()) is not null);
create policy drafts_insert on public.crm_drafts for insert to authenticated
  with check (user_id = (select app.viewer_id()) and (select app.viewer_role()) is not null);
create policy drafts_update on public.crm_drafts for update to authenticated
  using (user_id = (select app.viewer_id()) and (select app.viewer_role()) is not null)
  with check (user_id = (select app.viewer_id()) and (select app.viewer_role()) is not null);
create policy drafts_delete on public.crm_drafts for delete to authenticated
  using (user_id = (select app.viewer_id()) and (select app.viewer_role()) is not null);

revoke execute on all routines in schema app from public;
grant execute on function app.undo(xid8), app.restore(text, uuid, bigint), app.record_key(text), app.record_name(jsonb),
  app.merge_organizers(uuid, uuid), app.may_change(text, jsonb[]), app.may_become(text, jsonb[]), app.bare_name(text), app.web_domain(text),
  app.likeness(text, text) to authenticated;

-- What every table of records shares: a version for optimistic locking, an append-only audit, and a notice to
-- every open dashboard that something has changed.

create function app.effective_time() returns timestamptz
language plpgsql volatile set search_path = ''
as $$
begin
  if nullif(current_setting('eventos.effective_time', true), '') is not null
    and session_user = (select pg_get_userbyid(relowner) from pg_class where oid = 'public.crm_settings'::pg_catalog.regclass)
  then
    return current_setting('eventos.effective_time')::pg_catalog.timestamptz;
  end if;
  return clock_timestamp();
end $$;
comment on function app.effective_time is 'When a change holds from: now, or what an import or demo of the owner''s login says. From anybody else the setting has no effect.';

create function app.derived_columns() returns text[]
language sql immutable parallel safe
return array['updated_at', 'version', 'row_version', 'expected_revenue', 'engagement_score', 'health_score', 'churn_risk',
  'total_revenue', 'lifetime_value', 'annual_events', 'last_activity_at', 'last_contact_date', 'ai_score', 'ai_insights',
  'scored_at', 'last_stage_change_at'];
comment on function app.derived_columns is 'Columns that are computed, not edited: a refresh of them is no edit, so it moves no version, clashes with nobody and fills no audit.';

create function app.next_version() returns trigger
language plpgsql set search_path = ''
as $$
begin
  new.version := old.version;
  if to_jsonb(new) - app.derived_columns() is distinct from to_jsonb(old) - app.derived_columns() then
    new.version := old.version + 1;
  end if;
  return new;
end $$;

create function app.next_row_version() returns trigger
language plpgsql set search_path = ''
as $$
begin
  new.row_version := old.row_version;
  if to_jsonb(new) - app.derived_columns() is distinct from to_jsonb(old) - app.derived_columns() then
    new.row_version := old.row_version + 1;
  end if;
  return new;
end $$;
comment on function app.next_row_version is 'For crm_documents, whose column `version` is the version of the document.';

create table public.crm_audit (
  id bigint generated always as identity primary key,
  occurred_at timestamptz not null,
  table_name text not null,
  record_id uuid,
  verb text not null check (verb in ('insert', 'update', 'delete')),
  old jsonb,
  new jsonb,
  actor uuid,
  login text not null,
  transaction_id xid8 not null,
  reason text
);
comment on table public.crm_audit is 'Who changed what from what to what, when and why. Written by triggers, changed by nobody.';
comment on column public.crm_audit.old is 'insert: null; update: the columns that changed, as they were; delete: the whole row';
comment on column public.crm_audit.actor is 'The viewer; null where a job of the owner''s login wrote, then login says which.';
create index idx_audit_record on public.crm_audit (table_name, record_id, id);
create index idx_audit_occurred on public.crm_audit (occurred_at);
create index idx_audit_transaction on public.crm_audit (transaction_id);

create function app.write_audit() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  before pg_catalog.jsonb;
  after pg_catalog.jsonb;
begin
  if tg_op <> 'INSERT' then
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

create function app.refuse_change() returns trigger
language plpgsql set search_path = ''
as $$
begin
  raise insufficient_privilege using message = format('%s is kept for ever: nothing in it is changed or removed.', tg_table_name);
end $$;
create trigger keep_audit before update or delete or truncate on public.crm_audit
  for each statement execute function app.refuse_change();

create function app.announce() returns trigger
language plpgsql set search_path = ''
as $$
begin
  perform pg_notify('eventos_changed', '');  -- the same notice many times in a transaction is delivered once
  return null;
end $$;

create procedure app.track(target regclass, record_key text default 'id', version_column text default 'version')
language plpgsql set search_path = ''
as $$
begin
  if version_column <> '' then
    execute format('create trigger version before update on %s for each row execute function app.%I()', target,
      case version_column when 'version' then 'next_version' else 'next_row_version' end);
  end if;
  execute format('create trigger write_audit after insert or update or delete on %s for each row execute function app.write_audit(%L)',
    target, record_key);
  execute format('create trigger announce after insert or update or delete on %s for each statement execute function app.announce()',
    target);
end $$;
comment on procedure app.track is 'Gives a table its version, audit and notice.';

revoke execute on all routines in schema app from public;
grant execute on function app.effective_time(), app.derived_columns() to authenticated;  -- called by triggers as the viewer

create trigger update_settings_updated_at before update on public.crm_settings
  for each row execute function public.update_updated_at_column();
create trigger update_profiles_updated_at before update on public.crm_profiles
  for each row execute function public.update_updated_at_column();
create trigger update_user_roles_updated_at before update on public.crm_user_roles
  for each row execute function public.update_updated_at_column();
call app.track('public.crm_settings', '');
call app.track('public.crm_profiles', 'user_id');
call app.track('public.crm_user_roles', 'user_id');

call app.protect('public.crm_audit');
revoke all on sequence public.crm_audit_id_seq from public, anon, authenticated, service_role;
grant select on public.crm_audit to authenticated;
create policy audit_select on public.crm_audit for select to authenticated using ((select app.sees_all()));

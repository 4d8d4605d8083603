-- A record's own audit trail, for whoever may see the record.

create function app.may_see(record_table text, record uuid) returns boolean
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
      'crm_documents', 'crm_targets', 'events') then
    return false;
  end if;
  -- Read as it comes, because a platform's own events may have other columns.
  execute format('select to_jsonb(record) from public.%I as record where record.id = $1', record_table)
    into found_record using record;
  return coalesce((found_record ->> 'assigned_to')::pg_catalog.uuid = any (app.team()), false)
    or coalesce((found_record ->> 'user_id')::pg_catalog.uuid = any (app.team()), false)
    or coalesce((found_record ->> 'organizer_id')::pg_catalog.uuid in (select app.own_organizers()), false);
end $$;
comment on function app.may_see is 'Whether the viewer''s policies show this record; a record that is gone is seen by executives and admins only.';

create function app.record_history(record_table text, record uuid)
returns table (id bigint, occurred_at timestamptz, verb text, old jsonb, new jsonb, actor uuid, login text, transaction_id xid8, reason text)
language sql stable security definer set search_path = ''
begin atomic
  select entry.id, entry.occurred_at, entry.verb, entry.old, entry.new, entry.actor, entry.login, entry.transaction_id, entry.reason
  from public.crm_audit as entry
  where entry.table_name = record_table and entry.record_id = record and (select app.may_see(record_table, record))
  order by entry.id;
end;
comment on function app.record_history is 'Who changed which columns of one record, oldest first; empty for a record that the viewer may not see.';
revoke execute on all routines in schema app from public;
grant execute on function app.record_history(text, uuid) to authenticated;

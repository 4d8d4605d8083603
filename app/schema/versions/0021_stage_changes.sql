-- What setting a stage's default probability did: who followed, to what effect, and how it is undone. That it was set, by
-- whom and when is in crm_stage_history; what each opportunity had before is in the audit, under the transaction.

create table public.crm_stage_changes (
  id uuid primary key default gen_random_uuid(),
  stage_id uuid not null,  -- no foreign key: outlives the stage
  seq integer,
  made_at timestamptz not null default clock_timestamp(),
  made_by uuid not null default app.actor_id() references auth.users (id),
  transaction_id xid8 not null default pg_current_xact_id(),
  probability_before integer not null check (probability_before between 0 and 100),
  probability integer not null check (probability between 0 and 100),
  follows text not null check (follows in ('new', 'inheriting', 'all')),
  opportunities integer not null check (opportunities >= 0),
  effect numeric(18, 2) not null check (app.is_amount(abs(effect))),
  currency text not null check (app.is_currency(currency)),
  without_rate integer not null check (without_rate >= 0),
  reason text not null check (app.is_text(reason, 2000) and btrim(reason) <> ''),
  undoes uuid unique references public.crm_stage_changes (id)
);
comment on table public.crm_stage_changes is 'A default probability that was set on purpose: what it did to the open opportunities. Nothing in it is changed or removed.';
comment on column public.crm_stage_changes.seq is 'The version in crm_stage_history that it made; null where the default stayed and only opportunities followed it.';
comment on column public.crm_stage_changes.follows is 'new: only later entries; inheriting: also open opportunities that have the stage''s; all: also those that had their own.';
comment on column public.crm_stage_changes.opportunities is 'How many open opportunities have another probability, or have it from elsewhere, since.';
comment on column public.crm_stage_changes.effect is 'What that moved the expected revenue of the stage by, in `currency` at that day''s rates; `without_rate` opportunities are not in it.';
comment on column public.crm_stage_changes.undoes is 'The change that this one took back.';
create index idx_stage_changes_stage on public.crm_stage_changes (stage_id, made_at);
create index idx_stage_changes_made_by on public.crm_stage_changes (made_by);
comment on index public.idx_stages_name is 'There is a stage with this name already.';

-- An undo puts back what an opportunity had: its number, where that came from, who set it, when and why. The trigger that
-- would take all of it as a new opinion of today's sleeps meanwhile, for this function alone: what people write runs as
-- `authenticated`, whatever setting they make.
create function app.runs_as_owner() returns boolean
language sql stable parallel safe
return current_user = (select pg_get_userbyid(relowner) from pg_class where oid = 'public.crm_opportunities'::regclass);
comment on function app.runs_as_owner is 'Whether this is the owner''s login, or a function with its rights.';

drop trigger settle on public.crm_opportunities;
create trigger settle before insert or update on public.crm_opportunities
  for each row when (coalesce(current_setting('eventos.undoing', true), '') = '' or not app.runs_as_owner())
  execute function app.settle_opportunity();

create function app.put_probabilities_back(change uuid) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
  undone public.crm_stage_changes;
  restored integer;
begin
  if not app.is_admin() then
    raise insufficient_privilege using message = 'Only an admin undoes the change of a stage.';
  end if;
  select * into undone from public.crm_stage_changes where id = change;
  perform set_config('eventos.undoing', 'yes', true);
  update public.crm_opportunities as deal
  set (probability, probability_source, probability_set_by, probability_set_at, probability_reason) = (
    select was.probability, was.probability_source, was.probability_set_by, was.probability_set_at, was.probability_reason
    from jsonb_populate_record(deal, entry.old) as was)
  from public.crm_audit as entry
  where entry.transaction_id = undone.transaction_id and entry.table_name = 'crm_opportunities' and entry.verb = 'update'
    and deal.id = entry.record_id and deal.stage_id = undone.stage_id and deal.status = 'open'
    -- somebody may have set another one since, or moved it
    and deal.probability_set_at = (entry.new ->> 'probability_set_at')::pg_catalog.timestamptz;
  get diagnostics restored = row_count;
  perform set_config('eventos.undoing', '', true);
  return restored;
end $$;
comment on function app.put_probabilities_back is 'Gives the open opportunities that followed a change of their stage what they had before it; returns how many. Those that were changed since keep what they have.';
revoke execute on all routines in schema app from public;
grant execute on function app.runs_as_owner(), app.put_probabilities_back(uuid) to authenticated;

call app.track('public.crm_stage_changes', 'id', '');

call app.protect('public.crm_stage_changes');
grant select, insert (id, stage_id, seq, probability_before, probability, follows, opportunities, effect, currency,
    without_rate, reason, undoes)
  on public.crm_stage_changes to authenticated;
create policy stage_changes_select on public.crm_stage_changes for select to authenticated
  using ((select app.viewer_role()) in ('manager', 'executive', 'admin'));
create policy stage_changes_insert on public.crm_stage_changes for insert to authenticated
  with check ((select app.is_admin()));

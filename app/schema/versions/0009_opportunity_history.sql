-- Every opportunity as it stood at every moment: what forecasts, conversion, ages and movements are computed from.

create table public.crm_opportunity_history (
  -- no foreign keys: the history outlives the opportunity, its organizer and its stage
  opportunity_id uuid not null,
  seq integer not null,
  valid_from timestamptz not null,
  valid_to timestamptz,
  organizer_id uuid not null,
  stage_id uuid,
  stage_entered_at timestamptz,
  next_stage_id uuid,
  value numeric(18, 2) not null,
  currency text not null,
  probability integer,
  probability_source text,
  expected_close_date date,
  actual_close_date date,
  assigned_to uuid,
  status text not null,
  created_at timestamptz not null,
  is_deleted boolean not null default false,
  changed_by uuid,
  primary key (opportunity_id, seq),
  check (valid_to > valid_from)
);
comment on table public.crm_opportunity_history is 'An opportunity as it stood from valid_from until before valid_to; the version without valid_to holds now. Kept by trigger.';
comment on column public.crm_opportunity_history.seq is '1 for the first version: one that starts with a higher number was there before, unseen.';
comment on column public.crm_opportunity_history.stage_id is 'Null: unknown (before the first history that an import brought).';
comment on column public.crm_opportunity_history.stage_entered_at is 'When the uninterrupted stay in this stage began.';
comment on column public.crm_opportunity_history.next_stage_id is 'The stage that followed, where the stay in stage_id ended with this version; null: it went on.';
comment on column public.crm_opportunity_history.created_at is 'The opportunity''s own: where its sales cycle began.';
comment on column public.crm_opportunity_history.is_deleted is 'The opportunity is gone since valid_from; the rest of the row is what it was.';
create unique index idx_opportunity_history_now on public.crm_opportunity_history (opportunity_id) where valid_to is null;
-- The questions' indexes hold what they sum and what the policy asks, so that they are answered from the index alone.
create index idx_opportunity_history_open on public.crm_opportunity_history (assigned_to, stage_id)
  include (organizer_id, value, currency, probability, stage_entered_at, expected_close_date, opportunity_id)
  where valid_to is null and status = 'open' and not is_deleted;
create index idx_opportunity_history_was_open on public.crm_opportunity_history (valid_to, assigned_to)
  include (valid_from, stage_id, organizer_id, value, currency, probability, stage_entered_at, expected_close_date, opportunity_id)
  where valid_to is not null and status = 'open' and not is_deleted;
create index idx_opportunity_history_closed on public.crm_opportunity_history (actual_close_date, assigned_to)
  include (valid_from, valid_to, organizer_id, status, value, currency, created_at, opportunity_id)
  where status <> 'open' and not is_deleted;
create index idx_opportunity_history_was_closed on public.crm_opportunity_history (valid_to)
  where valid_to is not null and (status <> 'open' or is_deleted);
create index idx_opportunity_history_stays on public.crm_opportunity_history (stage_entered_at)
  include (stage_id, valid_to, next_stage_id, assigned_to, organizer_id)
  where next_stage_id is not null;
create index idx_opportunity_history_from on public.crm_opportunity_history (valid_from);
create index idx_opportunity_history_organizer on public.crm_opportunity_history (organizer_id);

create function app.keep_opportunity_history() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  deal public.crm_opportunities := case when tg_op = 'DELETE' then old else new end;
  latest public.crm_opportunity_history;
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
  update public.crm_opportunity_history
  set valid_to = moment,
    next_stage_id = case when stage_id <> deal.stage_id and tg_op <> 'DELETE' then deal.stage_id end
  where opportunity_id = deal.id and seq = latest.seq;
  insert into public.crm_opportunity_history (opportunity_id, seq, valid_from, organizer_id, stage_id, stage_entered_at,
    value, currency, probability, probability_source, expected_close_date, actual_close_date, assigned_to, status,
    created_at, is_deleted, changed_by)
  values (deal.id, coalesce(latest.seq, 0) + 1, moment, deal.organizer_id, deal.stage_id,
    case when latest.stage_id = deal.stage_id then latest.stage_entered_at else moment end,
    deal.value, deal.currency, deal.probability, deal.probability_source, deal.expected_close_date,
    deal.actual_close_date, deal.assigned_to, deal.status, deal.created_at,
    tg_op = 'DELETE', app.actor_id());
  return null;
end $$;
revoke execute on all routines in schema app from public;
create trigger keep_history after insert or update or delete on public.crm_opportunities
  for each row execute function app.keep_opportunity_history();

call app.protect('public.crm_opportunity_history');
grant select on public.crm_opportunity_history to authenticated;
create policy opportunity_history_select on public.crm_opportunity_history for select to authenticated
  using ((select app.sees_all()) or assigned_to = any ((select app.team())::uuid[])
    or organizer_id in (select app.own_organizers()));

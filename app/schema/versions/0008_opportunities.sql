-- Opportunities: what might be sold, to whom, for how much, and how likely.

create table public.crm_opportunities (
  id uuid primary key default gen_random_uuid(),
  -- not CASCADE as in the document: removing an organizer would take won deals along; archive it instead
  organizer_id uuid not null references public.crm_organizers (id) on delete restrict,
  event_id uuid references public.events (id) on delete set null,
  stage_id uuid not null references public.crm_pipeline_stages (id),
  name text not null check (app.is_line(name)),
  description text check (app.is_text(description, 20000)),
  value numeric(18, 2) not null check (app.is_amount(value)),
  currency text not null default 'CAD' check (app.is_currency(currency)),
  probability integer not null check (probability between 0 and 100),
  probability_source text not null check (probability_source in ('stage', 'manual', 'import', 'model')),
  probability_set_by uuid references auth.users (id),
  probability_set_at timestamptz,
  probability_reason text check (app.is_text(probability_reason, 2000)),
  expected_revenue numeric(18, 2) generated always as (value * probability / 100) stored,
  expected_close_date date check (app.is_day(expected_close_date)),
  actual_close_date date check (app.is_day(actual_close_date)),
  status text not null default 'open' check (status in ('open', 'won', 'lost', 'abandoned')),
  loss_reason text check (app.is_text(loss_reason, 2000)),
  assigned_to uuid references auth.users (id),
  ai_score integer not null default 50 check (ai_score between 0 and 100),
  ai_insights jsonb not null default '{}' check (app.is_object(ai_insights)),
  scored_at timestamptz,
  created_at timestamptz not null default now() check (app.is_moment(created_at)),
  updated_at timestamptz not null default now(),
  last_stage_change_at timestamptz not null default now() check (app.is_moment(last_stage_change_at)),
  version integer not null default 1,
  check ((status = 'open') = (actual_close_date is null)),
  unique (id, organizer_id)  -- lets an activity, note or document prove that its opportunity belongs to its organizer
);
comment on table public.crm_opportunities is 'A sale that may come, was won, or was not.';
comment on column public.crm_opportunities.probability is 'Percent. Written as null it means "from the stage"; a number means one''s own.';
comment on column public.crm_opportunities.probability_source is 'Where the probability comes from; stored, never guessed from equality with the stage''s.';
comment on column public.crm_opportunities.expected_revenue is 'Rounded for this row; totals sum value * probability / 100 and round once.';
comment on column public.crm_opportunities.status is 'Follows the stage. abandoned: closed in the Lost stage without a decision, counted apart.';
comment on column public.crm_opportunities.ai_insights is '{next_action, risk_factors, recommendations}';
comment on column public.crm_opportunities.scored_at is 'When ai_score was last computed; null: never, it is a default and no finding.';
create index idx_opportunities_organizer on public.crm_opportunities (organizer_id);
create index idx_opportunities_event on public.crm_opportunities (event_id);
create index idx_opportunities_stage on public.crm_opportunities (stage_id);
create index idx_opportunities_status on public.crm_opportunities (status);
create index idx_opportunities_assigned on public.crm_opportunities (assigned_to);
create index idx_opportunities_close_date on public.crm_opportunities (expected_close_date);
create index idx_opportunities_probability_set_by on public.crm_opportunities (probability_set_by);
create index idx_opportunities_search on public.crm_opportunities
  using gin (to_tsvector('simple', app.fold(name || ' ' || coalesce(description, ''))));
create index idx_opportunities_ai_insights on public.crm_opportunities using gin (ai_insights jsonb_path_ops);

create function app.settle_opportunity() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  stage public.crm_pipeline_stages;
  moment pg_catalog.timestamptz := app.effective_time();
  is_new boolean := tg_op = 'INSERT';
  moved boolean := true;
  status_given boolean;
  source_given boolean;
begin
  select * into stage from public.crm_pipeline_stages where id = new.stage_id;
  if not found then
    return new;  -- the foreign key says it better
  end if;
  if is_new then
    status_given := new.status <> 'open';
    source_given := new.probability_source is not null;
    new.created_at := coalesce(new.created_at, moment);
  else
    moved := new.stage_id <> old.stage_id;
    status_given := new.status <> old.status;
    source_given := new.probability_source is distinct from old.probability_source;
  end if;

  -- Status and closing date follow the stage; what contradicts it is refused.
  if status_given and (new.status = 'open') = stage.is_closed
    or status_given and new.status = 'won' and not stage.is_won
    or status_given and new.status in ('lost', 'abandoned') and stage.is_won
  then
    raise check_violation using message = format('The status %s contradicts the stage %s: move the opportunity to a stage that fits.',
      new.status, stage.name), table = 'crm_opportunities', column = 'status', constraint = 'status_follows_stage';
  end if;
  if stage.is_closed then
    if stage.is_won then
      new.status := 'won';
    elsif coalesce(new.status, 'open') not in ('lost', 'abandoned') then
      new.status := 'lost';
    end if;
    if is_new or old.status = 'open' then
      new.actual_close_date := coalesce(new.actual_close_date,
        (moment at time zone app.organisation_time_zone())::pg_catalog.date);
    end if;
  else
    if not is_new and old.status <> 'open' then
      new.actual_close_date := null;
      new.loss_reason := null;
    end if;
    new.status := 'open';
  end if;

  -- The probability follows the stage unless somebody set one; closing decides it.
  if source_given and new.probability_source in ('import', 'model') and app.actor_id() is not null then
    raise check_violation using message = 'Only an import or a model may say that a probability comes from it.',
      table = 'crm_opportunities', column = 'probability_source', constraint = 'source_is_true';
  end if;
  if stage.is_closed then
    new.probability := case when stage.is_won then 100 else 0 end;
    new.probability_source := 'stage';
  elsif new.probability is null or source_given and new.probability_source = 'stage' then
    new.probability := stage.default_probability;
    new.probability_source := 'stage';
  elsif is_new then
    new.probability_source := coalesce(new.probability_source, 'manual');
  elsif source_given then
    null;
  elsif new.probability <> old.probability then
    new.probability_source := 'manual';
  elsif moved and old.probability_source = 'stage' then
    new.probability := stage.default_probability;
  end if;
  if is_new or (new.probability, new.probability_source) is distinct from (old.probability, old.probability_source) then
    new.probability_set_by := app.actor_id();
    new.probability_set_at := moment;
    if not is_new and new.probability_reason is not distinct from old.probability_reason then
      new.probability_reason := null;  -- the reason for an earlier number is none for this one
    end if;
  end if;

  if moved and not is_new then
    new.last_stage_change_at := moment;
  end if;
  return new;
end $$;
comment on function app.settle_opportunity is 'Keeps stage, status, closing date and probability of an opportunity in agreement.';
create trigger settle before insert or update on public.crm_opportunities
  for each row execute function app.settle_opportunity();

create function app.keep_stage_honest() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  held bigint;
begin
  select count(*) into held from public.crm_opportunities where stage_id = old.id;
  if held > 0 then
    raise check_violation using
      message = format('The stage %s holds %s opportunities: move them before changing whether it is closed or won.', old.name, held),
      table = 'crm_pipeline_stages', column = 'is_closed', constraint = 'closing_is_settled';
  end if;
  return new;
end $$;
revoke execute on all routines in schema app from public;
create trigger keep_honest before update on public.crm_pipeline_stages
  for each row when ((new.is_closed, new.is_won) is distinct from (old.is_closed, old.is_won))
  execute function app.keep_stage_honest();

create trigger update_opportunities_updated_at before update on public.crm_opportunities
  for each row execute function public.update_updated_at_column();
call app.track('public.crm_opportunities');

call app.protect('public.crm_opportunities');
grant select, delete,
  insert (id, organizer_id, event_id, stage_id, name, description, value, currency, probability, probability_source,
    probability_reason, expected_close_date, actual_close_date, status, loss_reason, assigned_to),
  update (organizer_id, event_id, stage_id, name, description, value, currency, probability, probability_source,
    probability_reason, expected_close_date, actual_close_date, status, loss_reason, assigned_to)
  on public.crm_opportunities to authenticated;
-- A deal is seen by its owner and by the owner of its organizer: with one of the two, totals would differ by
-- whether a chart joins organizers.
create policy opportunities_select on public.crm_opportunities for select to authenticated
  using ((select app.sees_all()) or assigned_to = any ((select app.team())::uuid[])
    or organizer_id in (select app.own_organizers()));
create policy opportunities_insert on public.crm_opportunities for insert to authenticated
  with check ((select app.is_admin())
    or assigned_to = any ((select app.team())::uuid[]) and organizer_id in (select app.own_organizers()));
create policy opportunities_update on public.crm_opportunities for update to authenticated
  using ((select app.is_admin())
    or assigned_to = any ((select app.team())::uuid[]) and organizer_id in (select app.own_organizers()))
  with check ((select app.is_admin())
    or assigned_to = any ((select app.team())::uuid[]) and organizer_id in (select app.own_organizers()));
create policy opportunities_delete on public.crm_opportunities for delete to authenticated
  using ((select app.is_admin()));

-- What the refresh finds out: how organizers stand and why, what opportunities are worth waiting for, and what the
-- models behind both may be believed. Written by the owner's job only.

create function app.day_of(value text) returns date
language sql immutable parallel safe
return case
  when value !~ '^(19|20|21)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])' then null
  when extract(month from make_date(left(value, 4)::integer, substr(value, 6, 2)::integer, 1) + substr(value, 9, 2)::integer - 1)
    <> substr(value, 6, 2)::integer then null
  else make_date(left(value, 4)::integer, substr(value, 6, 2)::integer, substr(value, 9, 2)::integer)
end;
comment on function app.day_of is 'The day that a text begins with, or null: JSON holds anything, and a cast would fail the whole question.';

-- How each organizer stands -------------------------------------------------------------------------------

create table public.crm_organizer_health (
  organizer_id uuid primary key references public.crm_organizers (id) on delete cascade,
  scored_on date not null check (app.is_day(scored_on)),
  health numeric(4, 1) not null check (health between 0 and 100),
  observed_share double precision not null check (observed_share between 0 and 1),
  churn_probability double precision check (churn_probability between 0 and 1),
  first_seen_on date,
  last_seen_on date,
  usual_gap_days double precision,
  runs_out_on date,
  churned_on date,
  parts jsonb not null default '{}' check (app.is_object(parts)),
  why jsonb not null default '{}' check (app.is_object(why))
);
comment on table public.crm_organizer_health is 'How an organizer stood at the last refresh, and what moved its scores; crm_organizer_scores has the earlier ones.';
comment on column public.crm_organizer_health.health is '0 to 100, high is good: the sum of why.health.';
comment on column public.crm_organizer_health.churn_probability is 'Within 180 days. Null: the model abstains, the organizer never won or held an event, or it has churned.';
comment on column public.crm_organizer_health.first_seen_on is 'The first event that it held, or the first deal that was won.';
comment on column public.crm_organizer_health.last_seen_on is 'The last event that it held, or the last deal that was won.';
comment on column public.crm_organizer_health.runs_out_on is 'The day after last_seen_on on which it has churned unless it wins or holds an event before.';
comment on column public.crm_organizer_health.churned_on is 'runs_out_on, where that is over. From then on why stays as it was.';
comment on column public.crm_organizer_health.parts is 'The health score''s parts that were observed, 0 to 100 each.';
comment on column public.crm_organizer_health.why is '{health: {part: points}, churn: {base, feature: points}}; points in tenths that add up to health, and to 100 times the churn probability.';
create index idx_organizer_health_churned on public.crm_organizer_health (churned_on) where churned_on is not null;

create trigger announce after insert or update or delete on public.crm_organizer_health
  for each statement execute function app.announce();
call app.protect('public.crm_organizer_health');
grant select on public.crm_organizer_health to authenticated;
create policy organizer_health_select on public.crm_organizer_health for select to authenticated
  using ((select app.sees_all()) or organizer_id in (select app.own_organizers()));

-- What the models may be believed -------------------------------------------------------------------------

create table public.crm_model_runs (
  model text not null check (model in ('churn', 'win')),
  as_of date not null check (app.is_day(as_of)),
  made_at timestamptz not null default now(),
  n integer not null check (n >= 0),
  events integer not null check (events between 0 and n),
  cutoffs date[] not null,
  held_out date[] not null,
  base_rate double precision,
  auc double precision,
  brier double precision,
  brier_base double precision,
  curve jsonb not null default '[]' check (app.is_list(curve)),
  effects jsonb not null default '{}' check (app.is_object(effects)),
  reason text check (app.is_text(reason, 1000)),
  primary key (model, as_of)
);
comment on table public.crm_model_runs is 'Each model''s report card at each refresh: sums over the whole company, for everybody with a role.';
comment on column public.crm_model_runs.events is 'Of the n past cases, those to which it happened.';
comment on column public.crm_model_runs.held_out is 'The later cut-offs, on which a model that was fitted on the earlier ones was judged: auc, brier, brier_base, curve.';
comment on column public.crm_model_runs.brier_base is 'Brier score of who says base_rate of everybody.';
comment on column public.crm_model_runs.curve is '[{bin_low, bin_high, forecast, rate, low, high, n}], the interval being Jeffreys'' 95 %';
comment on column public.crm_model_runs.effects is '{feature: log-odds for one standard deviation}, of the model fitted on all cut-offs';
comment on column public.crm_model_runs.reason is 'Why the model abstains; null where it does not.';

create trigger announce after insert or update or delete on public.crm_model_runs
  for each statement execute function app.announce();
call app.protect('public.crm_model_runs');
grant select on public.crm_model_runs to authenticated;
create policy model_runs_select on public.crm_model_runs for select to authenticated
  using ((select app.viewer_role()) is not null);

-- When it was refreshed -----------------------------------------------------------------------------------

create table public.crm_refreshes (
  refreshed_on date primary key check (app.is_day(refreshed_on)),
  finished_at timestamptz
);
comment on table public.crm_refreshes is 'One row per day of a refresh.';
comment on column public.crm_refreshes.finished_at is 'When the day''s first refresh had written everything; null: some scores of the day may be missing.';

create trigger announce after insert or update or delete on public.crm_refreshes
  for each statement execute function app.announce();
call app.protect('public.crm_refreshes');
grant select on public.crm_refreshes to authenticated;
create policy refreshes_select on public.crm_refreshes for select to authenticated
  using ((select app.viewer_role()) is not null);

-- Scores are no edits -------------------------------------------------------------------------------------
-- The triggers that look at a whole row for what people changed cost a third of a millisecond a row. What is computed
-- is in none of the columns that they look for, so they are bound to the others: a statement that sets only computed
-- columns passes them by, and 100,000 organizers are scored in seconds. It is not an update of the record either.

do $$
declare
  target regclass;
  edited text;
begin
  foreach target in array array['public.crm_organizers', 'public.crm_opportunities']::regclass[] loop
    select string_agg(quote_ident(attname), ', ' order by attnum) into edited
    from pg_attribute
    where attrelid = target and attnum > 0 and not attisdropped and attgenerated = ''
      and (attname <> all (app.derived_columns()) or attname in ('version', 'updated_at'));
    execute format('create or replace trigger version before update of %s on %s for each row execute function app.next_version()',
      edited, target);
    execute format('create or replace trigger write_audit after insert or update of %s or delete on %s for each row execute function app.write_audit(''id'')',
      edited, target);
    execute format('create or replace trigger %I before update of %s on %s for each row execute function public.update_updated_at_column()',
      format('update_%s_updated_at', replace(target::text, 'crm_', '')), edited, target);
    if target = 'public.crm_opportunities'::regclass then
      execute format('create or replace trigger settle before insert or update of %s on %s for each row'
        ' when (coalesce(current_setting(''eventos.undoing'', true), '''') = '''' or not app.runs_as_owner())'
        ' execute function app.settle_opportunity()', edited, target);
      execute format('create or replace trigger keep_history after insert or update of %s or delete on %s for each row execute function app.keep_opportunity_history()',
        edited, target);
    end if;
  end loop;
end $$;

revoke execute on all routines in schema app from public;
grant execute on function app.day_of(text) to authenticated;

-- What calibration found: how often opportunities are really won from each stage, how closing dates slip, and how much
-- good and bad quarters differ. Computed by the owner's job over the whole company and kept as aggregates, so that
-- everybody sees one probability for one stage; a past day is answered by the newest run that was made as of it.

create table public.crm_calibrations (
  as_of date primary key check (app.is_day(as_of)),
  made_at timestamptz not null default now(),
  history_from date check (app.is_day(history_from)),
  stages jsonb not null check (app.is_list(stages)),
  reliability jsonb not null check (app.is_list(reliability)),
  scores jsonb not null check (app.is_list(scores)),
  fitted text not null
);
comment on table public.crm_calibrations is 'One run of the calibration for each day on which one was made; it knows what was known at the end of that day.';
comment on column public.crm_calibrations.history_from is 'Day of the first opportunity; null: there was none.';
comment on column public.crm_calibrations.stages is 'For each horizon and open stage what app.estimates.calibration.calibrate returns.';
comment on column public.crm_calibrations.reliability is 'For each bin of the set values what app.estimates.calibration.reliability returns.';
comment on column public.crm_calibrations.scores is 'For each forecaster what app.estimates.calibration.score_forecasters returns.';
comment on column public.crm_calibrations.fitted is 'Slip, month-of-quarter effect and shock, as app.estimates.stored writes and reads them.';

create table public.crm_calibration_overrides (
  as_of date not null references public.crm_calibrations (as_of) on delete cascade,
  owner_id uuid not null,
  n integer not null,
  brier_override double precision not null,
  brier_stage double precision not null,
  saved double precision not null,
  low double precision,
  high double precision,
  reason text not null,
  primary key (as_of, owner_id)
);
comment on table public.crm_calibration_overrides is 'Whether a person''s own probabilities were better than the stages'' defaults that they replaced.';

create trigger announce after insert or update or delete on public.crm_calibrations
  for each statement execute function app.announce();
create trigger announce after insert or update or delete on public.crm_calibration_overrides
  for each statement execute function app.announce();

call app.protect('public.crm_calibrations');
grant select on public.crm_calibrations to authenticated;
create policy calibrations_select on public.crm_calibrations for select to authenticated
  using ((select app.viewer_role()) is not null);

call app.protect('public.crm_calibration_overrides');
grant select on public.crm_calibration_overrides to authenticated;
create policy calibration_overrides_select on public.crm_calibration_overrides for select to authenticated
  using ((select app.sees_all()) or owner_id = any ((select app.team())::uuid[]));

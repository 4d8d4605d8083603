-- Where commit and best case begin, and the numbers that managers name for a team and a period.

alter table public.crm_settings
  add commit_from integer not null default 75 check (commit_from between 0 and 100),
  add best_case_from integer not null default 40 check (best_case_from between 0 and 100),
  add check (best_case_from <= commit_from);
comment on column public.crm_settings.commit_from is 'Percent; open opportunities of this probability or more are commit.';
comment on column public.crm_settings.best_case_from is 'Percent; open opportunities of this probability or more are best case.';
grant update (commit_from, best_case_from) on public.crm_settings to authenticated;

create table public.crm_forecast_adjustments (
  id uuid primary key default gen_random_uuid(),
  author_id uuid not null default app.actor_id() references auth.users (id),
  owner_id uuid not null references public.crm_profiles (user_id),
  period_start date not null check (app.is_day(period_start)),
  period_end date not null check (app.is_day(period_end)),
  amount numeric(18, 2) not null check (app.is_amount(amount)),
  currency text not null check (app.is_currency(currency)),
  reason text not null check (btrim(reason) <> '' and app.is_text(reason, 2000)),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  withdrawn_at timestamptz,
  version integer not null default 1,
  check (period_start < period_end),
  check (withdrawn_at >= created_at)
);
comment on table public.crm_forecast_adjustments is 'What somebody thinks that a team will win in a period, kept beside the computed forecast and scored when the period is over. The newest of an owner and period that is not withdrawn counts.';
comment on column public.crm_forecast_adjustments.owner_id is 'Whose number it is: the person with everybody below.';
comment on column public.crm_forecast_adjustments.period_end is 'The day after the last.';
comment on column public.crm_forecast_adjustments.withdrawn_at is 'Taken back; it stays on record.';
create index idx_forecast_adjustments_owner on public.crm_forecast_adjustments (owner_id, period_start);
create index idx_forecast_adjustments_author on public.crm_forecast_adjustments (author_id);

create trigger update_forecast_adjustments_updated_at before update on public.crm_forecast_adjustments
  for each row execute function public.update_updated_at_column();
call app.track('public.crm_forecast_adjustments');

call app.protect('public.crm_forecast_adjustments');
-- What was named stays as it was: only taking it back changes a row.
grant select, insert (id, author_id, owner_id, period_start, period_end, amount, currency, reason), update (withdrawn_at)
  on public.crm_forecast_adjustments to authenticated;
create policy forecast_adjustments_select on public.crm_forecast_adjustments for select to authenticated
  using ((select app.sees_all())
    or (select app.viewer_role()) = 'manager' and owner_id = any ((select app.team())::uuid[]));
create policy forecast_adjustments_insert on public.crm_forecast_adjustments for insert to authenticated
  with check (author_id = (select app.viewer_id()) and ((select app.is_admin())
    or (select app.viewer_role()) = 'manager' and owner_id = any ((select app.team())::uuid[])));
create policy forecast_adjustments_update on public.crm_forecast_adjustments for update to authenticated
  using ((select app.is_admin()) or author_id = (select app.viewer_id())
    and (select app.viewer_role()) = 'manager' and owner_id = any ((select app.team())::uuid[]))
  with check ((select app.is_admin()) or author_id = (select app.viewer_id())
    and (select app.viewer_role()) = 'manager' and owner_id = any ((select app.team())::uuid[]));

-- Exchange rates and targets.

create table public.crm_exchange_rates (
  id uuid primary key default gen_random_uuid(),
  currency text not null check (app.is_currency(currency)),
  rate_date date not null check (app.is_day(rate_date)),
  rate numeric(20, 10) not null check (rate > 0 and rate < 10000000000),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  version integer not null default 1,
  unique (currency, rate_date)
);
comment on table public.crm_exchange_rates is 'Dated rates to the report currency; on a day the latest on or before it holds. Two other currencies cross through it.';
comment on column public.crm_exchange_rates.rate is 'Units of the report currency for one unit of this one. The report currency itself has no row: its rate is 1.';

create function app.keep_rates_meaningful() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  if tg_table_name = 'crm_settings' then
    if exists (select from public.crm_exchange_rates) then
      raise check_violation using message = 'The report currency stays as it is while exchange rates lead to it: remove them first, then enter those to the new one.',
        table = 'crm_settings', column = 'report_currency', constraint = 'rates_lead_to_it';
    end if;
  elsif new.currency = (select report_currency from public.crm_settings) then
    raise check_violation using message = format('%s is the report currency: its rate is 1 and is not entered.', new.currency),
      table = 'crm_exchange_rates', column = 'currency', constraint = 'report_currency_is_one';
  end if;
  return new;
end $$;
revoke execute on all routines in schema app from public;
create trigger keep_rates_meaningful before update of report_currency on public.crm_settings
  for each row when (new.report_currency <> old.report_currency) execute function app.keep_rates_meaningful();
create trigger keep_rates_meaningful before insert or update on public.crm_exchange_rates
  for each row execute function app.keep_rates_meaningful();

create trigger update_exchange_rates_updated_at before update on public.crm_exchange_rates
  for each row execute function public.update_updated_at_column();
call app.track('public.crm_exchange_rates');

call app.protect('public.crm_exchange_rates');
grant select, delete, insert (id, currency, rate_date, rate), update (currency, rate_date, rate)
  on public.crm_exchange_rates to authenticated;
create policy exchange_rates_select on public.crm_exchange_rates for select to authenticated
  using ((select app.viewer_role()) is not null);
create policy exchange_rates_insert on public.crm_exchange_rates for insert to authenticated
  with check ((select app.is_admin()));
create policy exchange_rates_update on public.crm_exchange_rates for update to authenticated
  using ((select app.is_admin())) with check ((select app.is_admin()));
create policy exchange_rates_delete on public.crm_exchange_rates for delete to authenticated
  using ((select app.is_admin()));

create table public.crm_targets (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references public.crm_profiles (user_id),
  period_start date not null check (app.is_day(period_start) and extract(day from period_start) = 1),
  amount numeric(18, 2) not null check (app.is_amount(amount)),
  currency text not null default 'CAD' check (app.is_currency(currency)),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  version integer not null default 1,
  unique (user_id, period_start)
);
comment on table public.crm_targets is 'What a person is to win in a quarter; a team''s target is the sum over its people.';
comment on column public.crm_targets.period_start is 'First day of the quarter.';

create trigger update_targets_updated_at before update on public.crm_targets
  for each row execute function public.update_updated_at_column();
call app.track('public.crm_targets');

call app.protect('public.crm_targets');
grant select, delete, insert (id, user_id, period_start, amount, currency), update (user_id, period_start, amount, currency)
  on public.crm_targets to authenticated;
create policy targets_select on public.crm_targets for select to authenticated
  using ((select app.sees_all()) or user_id = any ((select app.team())::uuid[]));
create policy targets_insert on public.crm_targets for insert to authenticated
  with check ((select app.is_admin())
    or (select app.viewer_role()) = 'manager' and user_id = any ((select app.team())::uuid[]));
create policy targets_update on public.crm_targets for update to authenticated
  using ((select app.is_admin())
    or (select app.viewer_role()) = 'manager' and user_id = any ((select app.team())::uuid[]))
  with check ((select app.is_admin())
    or (select app.viewer_role()) = 'manager' and user_id = any ((select app.team())::uuid[]));
create policy targets_delete on public.crm_targets for delete to authenticated
  using ((select app.is_admin()));

-- How long finished stays in each stage took, counted: what is normal in a stage is asked on every page, and sorting
-- every stay that ever was takes seconds. Kept in the transaction that ends a stay, so it is always exact.

create table public.crm_stage_stay_counts (
  stage_id uuid not null,
  left_month date not null,
  days integer not null,
  stays bigint not null,
  primary key (stage_id, left_month, days)
);
comment on table public.crm_stage_stay_counts is 'Number of stays per stage, month in which they ended, and calendar days that they took, in the whole company. Read through app.normal_stage_ages only.';
comment on column public.crm_stage_stay_counts.left_month is 'First day of the month, in the organisation''s time zone.';
-- Finds the stays that ended within a month, for a past date in the middle of one.
create index idx_opportunity_history_left on public.crm_opportunity_history (valid_to)
  include (stage_id, stage_entered_at) where next_stage_id is not null;

create function app.count_stage_stays() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  zone pg_catalog.text := app.organisation_time_zone();
begin
  if tg_op <> 'INSERT' then
    insert into public.crm_stage_stay_counts as counted (stage_id, left_month, days, stays)
    select stage_id, date_trunc('month', valid_to at time zone zone)::pg_catalog.date,
      (valid_to at time zone zone)::pg_catalog.date - (stage_entered_at at time zone zone)::pg_catalog.date, -count(*)
    from before_change where next_stage_id is not null and stage_entered_at is not null
    group by 1, 2, 3 order by 1, 2, 3  -- in one order, so that two transactions do not wait for each other
    on conflict (stage_id, left_month, days) do update set stays = counted.stays + excluded.stays;
  end if;
  if tg_op <> 'DELETE' then
    insert into public.crm_stage_stay_counts as counted (stage_id, left_month, days, stays)
    select stage_id, date_trunc('month', valid_to at time zone zone)::pg_catalog.date,
      (valid_to at time zone zone)::pg_catalog.date - (stage_entered_at at time zone zone)::pg_catalog.date, count(*)
    from after_change where next_stage_id is not null and stage_entered_at is not null
    group by 1, 2, 3 order by 1, 2, 3
    on conflict (stage_id, left_month, days) do update set stays = counted.stays + excluded.stays;
  end if;
  return null;
end $$;
create trigger count_stays_insert after insert on public.crm_opportunity_history
  referencing new table as after_change for each statement execute function app.count_stage_stays();
create trigger count_stays_update after update on public.crm_opportunity_history
  referencing old table as before_change new table as after_change for each statement execute function app.count_stage_stays();
create trigger count_stays_delete after delete on public.crm_opportunity_history
  referencing old table as before_change for each statement execute function app.count_stage_stays();

create function app.recount_stage_stays() returns void
language plpgsql set search_path = ''
as $$
declare
  zone pg_catalog.text := app.organisation_time_zone();
begin
  delete from public.crm_stage_stay_counts;
  insert into public.crm_stage_stay_counts (stage_id, left_month, days, stays)
  select stage_id, date_trunc('month', valid_to at time zone zone)::pg_catalog.date,
    (valid_to at time zone zone)::pg_catalog.date - (stage_entered_at at time zone zone)::pg_catalog.date, count(*)
  from public.crm_opportunity_history
  where next_stage_id is not null and stage_entered_at is not null
  group by 1, 2, 3;
end $$;
comment on function app.recount_stage_stays is 'Counts anew from the history: for a job that loaded it with triggers off, or after the organisation''s time zone has changed.';

create function app.normal_stage_ages(before timestamptz, fraction numeric, fewest bigint)
returns table (stage_id uuid, days numeric)
language sql stable security definer set search_path = ''
begin atomic
  with day_of as (
    select date_trunc('month', before at time zone app.organisation_time_zone())::date as month_start
  ),
  counted as (
    select months.stage_id, months.days, months.stays
    from public.crm_stage_stay_counts as months, day_of
    where before is null or months.left_month < day_of.month_start
    union all
    select stay.stage_id,
      (stay.valid_to at time zone zone.name)::date - (stay.stage_entered_at at time zone zone.name)::date, 1
    from public.crm_opportunity_history as stay, day_of, (select app.organisation_time_zone() as name) as zone
    where before is not null and stay.next_stage_id is not null and stay.stage_entered_at is not null
      and stay.valid_to >= day_of.month_start::timestamp at time zone zone.name and stay.valid_to < before
  ),
  equal_days as (
    select counted.stage_id, counted.days, sum(counted.stays) as stays
    from counted
    group by counted.stage_id, counted.days
  ),
  ranked as (
    select equal_days.stage_id, equal_days.days,
      sum(equal_days.stays) over (partition by equal_days.stage_id order by equal_days.days) as upto,
      sum(equal_days.stays) over (partition by equal_days.stage_id) as total
    from equal_days
  ),
  placed as (
    select ranked.stage_id, ranked.total, fraction * (ranked.total - 1) as place,
      min(ranked.days) filter (where ranked.upto > floor(fraction * (ranked.total - 1))) as low,
      min(ranked.days) filter (where ranked.upto > ceil(fraction * (ranked.total - 1))) as high
    from ranked
    group by ranked.stage_id, ranked.total
  )
  select placed.stage_id, placed.low + (placed.high - placed.low) * (placed.place - floor(placed.place))
  from placed
  where placed.total >= fewest;
end;
comment on function app.normal_stage_ages is 'A percentile, as percentile_cont has it, of the days of finished stays per stage; of those finished before a moment, or of all. Over the whole company, so that a stage has one normal age whoever looks; stages with fewer stays than that are left out.';

revoke execute on all routines in schema app from public;
grant execute on function app.normal_stage_ages(timestamptz, numeric, bigint) to authenticated;

call app.protect('public.crm_stage_stay_counts');
grant select on public.crm_stage_stay_counts to authenticated;
create policy stage_stay_counts_select on public.crm_stage_stay_counts for select to authenticated
  using ((select app.sees_all()));

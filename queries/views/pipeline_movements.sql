-- Why the open pipeline of one day is not that of another: one row per cause, opportunity and change. With the open
-- amounts at the end of `opening` they add up to those at the end of `closing`, exactly. `opens` and `closes` are the
-- moments at which those days end in the organisation's time zone; given as such, they find an index.
--
-- The versions of each opportunity are replayed in time. Within one change the order is currency, value, stage, own
-- probability, stage default; an opportunity that leaves is first revalued, then leaves with what it was worth.
-- Between changes its amount moves with the exchange rate alone. Without a rate an amount is 0 here, as it is in no total.
-- Scope, all of it optional: owners of the opportunity; organizers; days of the expected close. A version of another owner
-- is left out, as one that the viewer may not see is: what was handed over comes in and goes out.
create function analytics.pipeline_movements(
  opening date, closing date, opens timestamptz, closes timestamptz, zone text, into_currency text,
  owners uuid[], organizers uuid[], closing_from date, closing_before date)
returns table (opportunity_id uuid, term text, value numeric, expected_revenue numeric)
language sql stable
as $$
  with touched as (  -- versions that began in the stretch, ended in it or later, or are open since before it
    select history.* from public.crm_opportunity_history as history
    where history.valid_from >= opens and history.valid_from < closes
      and (owners is null or history.assigned_to = any (owners))
    union all
    select history.* from public.crm_opportunity_history as history  -- two parts, for two indexes
    where history.valid_from < opens and history.valid_to >= opens and history.status = 'open' and not history.is_deleted
      and (owners is null or history.assigned_to = any (owners))
    union all
    select history.* from public.crm_opportunity_history as history
    where history.valid_from < opens and history.valid_to >= opens and (history.status <> 'open' or history.is_deleted)
      and (owners is null or history.assigned_to = any (owners))
    union all
    select history.* from public.crm_opportunity_history as history
    where history.valid_from < opens and history.valid_to is null and history.status = 'open' and not history.is_deleted
      and (owners is null or history.assigned_to = any (owners))
  ),
  versions as (
    select touched.*,
      touched.status = 'open' and not touched.is_deleted as is_open,
      organizers is null or touched.organizer_id = any (organizers) as is_ours,
      (closing_from is null or touched.expected_close_date >= closing_from)
        and (closing_before is null or touched.expected_close_date < closing_before) as is_due,
      coalesce(touched.probability, 0) / 100.0 as chance,
      -- the days that its rate is asked for: in the wanted currency an amount has none, and most have that currency
      case when touched.currency <> into_currency then greatest(opening, (touched.valid_from at time zone zone)::date) end
        as first_day,
      case when touched.currency = into_currency then null
        when touched.valid_to < closes then (touched.valid_to at time zone zone)::date else closing end as last_day,
      touched.valid_from >= opens as began,
      coalesce(touched.valid_to < closes, false) as ended
    from touched
  ),
  weighed as (
    select versions.*, is_open and coalesce(is_ours, false) and coalesce(is_due, false) as counts
    from versions
  ),
  rates as (
    select * from analytics.exchange_rates_between(into_currency, opening, closing)
  ),
  standing as (  -- what was open at the beginning, and what the rates did to it and to everything later
    select deal.opportunity_id, 'start' as term, deal.value * coalesce(rate.rate, 0) as value,
      deal.value * coalesce(rate.rate, 0) * deal.chance as expected
    from weighed as deal
    left join rates as rate on rate.currency = deal.currency and rate.on_day = opening
    where deal.counts and not deal.began
    union all
    select deal.opportunity_id, 'exchange_rates', deal.value * (coalesce(last_rate.rate, 0) - coalesce(first_rate.rate, 0)),
      deal.value * (coalesce(last_rate.rate, 0) - coalesce(first_rate.rate, 0)) * deal.chance
    from weighed as deal
    left join rates as first_rate on first_rate.currency = deal.currency and first_rate.on_day = deal.first_day
    left join rates as last_rate on last_rate.currency = deal.currency and last_rate.on_day = deal.last_day
    where deal.counts and deal.value <> 0 and deal.currency <> into_currency and last_rate.rate is distinct from first_rate.rate
  ),
  changes as (
    select new.opportunity_id, old.value as old_value, new.value as new_value, old.chance as old_chance, new.chance as new_chance,
      case when old.currency = into_currency then 1 else coalesce(old_rate.rate, 0) end as old_rate,
      case when new.currency = into_currency then 1 else coalesce(new_rate.rate, 0) end as new_rate,
      old.counts as counted, new.counts,
      case  -- how it came in
        when new.seq = 1 then 'new'
        when old.seq is null then 'handed_in'  -- its earlier version belongs to somebody whom the viewer doesn't see
        when not old.is_open then 'reopened'
        when not coalesce(old.is_ours, false) then 'handed_in'
        else 'pulled_in'
      end as entry,
      case  -- how it went out
        when new.seq is null then 'handed_out'
        when new.is_deleted then 'removed'
        when not new.is_open then new.status
        when not coalesce(new.is_ours, false) then 'handed_out'
        else 'pushed_out'
      end as exit,
      case  -- the chance after the move to another stage: only an inherited one moves with it
        when new.stage_id is not distinct from old.stage_id then old.chance
        when old.probability_source in ('manual', 'model') then old.chance
        when new.probability_source in ('manual', 'model') then coalesce(stage.default_probability, old.chance * 100) / 100.0
        else new.chance
      end as staged_chance,
      new.stage_id is distinct from old.stage_id as is_moved,
      new.probability_source is not distinct from 'stage' and old.probability_source is not distinct from 'stage' as is_inherited
    from weighed as new
    left join weighed as old on old.opportunity_id = new.opportunity_id and old.seq = new.seq - 1
    left join rates as old_rate on old_rate.currency = old.currency and old_rate.on_day =
      case when old.currency <> into_currency then greatest(opening, (new.valid_from at time zone zone)::date) end
    left join rates as new_rate on new_rate.currency = new.currency and new_rate.on_day = new.first_day
    left join analytics.stages_over_time as stage on new.probability_source in ('manual', 'model') and stage.stage_id = new.stage_id
      and stage.valid_from <= new.valid_from and (stage.valid_to is null or stage.valid_to > new.valid_from)
    where new.began and (new.counts or old.counts)
    union all  -- the next version is out of the viewer's sight
    select old.opportunity_id, old.value, old.value, old.chance, old.chance, rated.rate, rated.rate,
      true, false, null, 'handed_out', old.chance, false, true
    from weighed as old
    left join rates as rate on rate.currency = old.currency and rate.on_day = old.last_day
    cross join lateral (
      select case when old.currency = into_currency then 1 else coalesce(rate.rate, 0) end as rate) as rated
    where old.counts and old.ended and not exists (
      select from weighed as new where new.opportunity_id = old.opportunity_id and new.seq = old.seq + 1)
  ),
  revalued as (
    select changes.*, new_value * new_rate as amount, old_value * (new_rate - old_rate) as by_currency,
      (new_value - old_value) * new_rate as by_value
    from changes
  ),
  effects as (
    select opportunity_id, entry as term, amount as value, amount * new_chance as expected
    from revalued where counts and not coalesce(counted, false)
    union all
    select opportunity_id, exit, -amount, -amount * old_chance
    from revalued where counted and not coalesce(counts, false)
    union all
    select opportunity_id, 'currency', by_currency, by_currency * old_chance
    from revalued where counted and by_currency <> 0
    union all
    select opportunity_id, case when by_value < 0 then 'value_down' else 'value_up' end, by_value, by_value * old_chance
    from revalued where counted and by_value <> 0
    union all
    select opportunity_id, 'stage', 0, amount * (staged_chance - old_chance)
    from revalued where counted and counts and amount <> 0 and staged_chance <> old_chance
    union all
    select opportunity_id, case when is_inherited and not is_moved then 'stage_default' else 'own_probability' end,
      0, amount * (new_chance - staged_chance)
    from revalued where counted and counts and amount <> 0 and new_chance <> staged_chance
  )
  select opportunity_id, term, value, expected from standing
  union all
  select opportunity_id, term, value, expected from effects
$$;

comment on function analytics.pipeline_movements is 'What moved the open pipeline between two days, by cause and opportunity.';

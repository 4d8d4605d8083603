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
    select opportunity_id, seq, valid_from, valid_to, organizer_id, stage_id, value, currency, probability, probability_source,
      expected_close_date, status, is_deleted
    from public.crm_opportunity_history
    where valid_from >= opens and valid_from < closes
      and (owners is null or assigned_to = any (owners))
    union all  -- two parts, for two indexes
    select opportunity_id, seq, valid_from, valid_to, organizer_id, stage_id, value, currency, probability, probability_source,
      expected_close_date, 'open', false
    from public.crm_opportunity_history
    where valid_from < opens and valid_to >= opens and status = 'open' and not is_deleted
      and (owners is null or assigned_to = any (owners))
    union all
    select opportunity_id, seq, valid_from, valid_to, organizer_id, stage_id, value, currency, probability, probability_source,
      expected_close_date, status, is_deleted
    from public.crm_opportunity_history
    where valid_from < opens and valid_to >= opens and (status <> 'open' or is_deleted)
      and (owners is null or assigned_to = any (owners))
    union all  -- answered, as the first two, from its index alone
    select opportunity_id, seq, valid_from, null, organizer_id, stage_id, value, currency, probability, probability_source,
      expected_close_date, 'open', false
    from public.crm_opportunity_history
    where valid_from < opens and valid_to is null and status = 'open' and not is_deleted
      and (owners is null or assigned_to = any (owners))
  ),
  versions as (
    select opportunity_id, seq, valid_from, valid_to, stage_id, value, currency, probability_source, status, is_deleted,
      status = 'open' and not is_deleted as is_open,
      -- as a query, so that the organizers are hashed instead of looked through for each version
      organizers is null or organizer_id in (select unnest(organizers)) as is_ours,
      (closing_from is null or coalesce(expected_close_date >= closing_from, false))
        and (closing_before is null or coalesce(expected_close_date < closing_before, false)) as is_due,
      coalesce(probability, 0) as percent,
      valid_from >= opens as began,
      coalesce(valid_to < closes, false) as ended
    from touched
  ),
  weighed as (
    select versions.*, is_open and is_ours and is_due as counts from versions
  ),
  rates as (
    select * from analytics.exchange_rates_between(into_currency, opening, closing)
  ),
  standing as (  -- what was open at the beginning, and what the rates did to it and to everything later
    select deal.opportunity_id, 'start' as term, deal.value * coalesce(rate.rate, 0) as value,
      deal.value * coalesce(rate.rate, 0) * deal.percent as percents
    from weighed as deal
    left join rates as rate on rate.currency = deal.currency and rate.on_day = opening
    where deal.counts and not deal.began
    union all
    select deal.opportunity_id, 'exchange_rates', deal.value * (coalesce(last_rate.rate, 0) - coalesce(first_rate.rate, 0)),
      deal.value * (coalesce(last_rate.rate, 0) - coalesce(first_rate.rate, 0)) * deal.percent
    from weighed as deal
    left join rates as first_rate on first_rate.currency = deal.currency
      and first_rate.on_day = case when deal.began then (deal.valid_from at time zone zone)::date else opening end
    left join rates as last_rate on last_rate.currency = deal.currency
      and last_rate.on_day = case when deal.ended then (deal.valid_to at time zone zone)::date else closing end
    where deal.counts and deal.value <> 0 and deal.currency <> into_currency and last_rate.rate is distinct from first_rate.rate
  ),
  pairs as (  -- a version that ended and the one that it became; either may be out of the viewer's sight
    select coalesce(new.opportunity_id, old.opportunity_id) as opportunity_id,
      coalesce(new.currency, old.currency) as currency, old.currency as old_currency,
      coalesce(new.value, old.value) as new_value, old.value as old_value,
      new.percent as new_percent, old.percent as old_percent,
      coalesce(new.counts, false) as counts, coalesce(old.counts, false) as counted,
      new.seq as new_seq, old.seq as old_seq,
      coalesce(new.valid_from, old.valid_to) as moment,
      new.status as new_status, new.is_deleted as new_is_deleted, new.is_ours as new_is_ours,
      old.is_open as old_is_open, old.is_ours as old_is_ours,
      new.stage_id as new_stage_id, old.stage_id as old_stage_id,
      new.probability_source as new_source, old.probability_source as old_source
    from (select * from weighed where began) as new
    full join (select * from weighed where ended) as old on old.opportunity_id = new.opportunity_id and old.seq = new.seq - 1
    where new.counts or old.counts
  ),
  changes as (  -- with the rate of the day, which is asked for where there is one
    select pairs.*, case when pairs.currency = into_currency then 1 else coalesce(rate.rate, 0) end as rate
    from pairs
    left join rates as rate on rate.currency = pairs.currency and rate.on_day =
      case when pairs.currency <> into_currency then (pairs.moment at time zone zone)::date end
  ),
  moves as (  -- changes of what stayed
    select changes.*, new_value * rate as amount
    from changes
    where counted and counts and (new_percent <> old_percent or new_stage_id is distinct from old_stage_id)
  ),
  staged as (
    select moves.*,
      case  -- the probability after the move to another stage: only an inherited one moves with it
        when new_stage_id is not distinct from old_stage_id then old_percent
        when old_source in ('manual', 'model') then old_percent
        when new_source in ('manual', 'model') then coalesce(stage.default_probability, old_percent)
        else new_percent
      end as staged_percent
    from moves
    left join analytics.stages_over_time as stage on moves.new_source in ('manual', 'model') and stage.stage_id = moves.new_stage_id
      and stage.valid_from <= moves.moment and (stage.valid_to is null or stage.valid_to > moves.moment)
  ),
  effects as (
    select opportunity_id,
      case
        when new_seq = 1 then 'new'
        when old_seq is null then 'handed_in'  -- its earlier version belongs to somebody whom the viewer doesn't see
        when not old_is_open then 'reopened'
        when not old_is_ours then 'handed_in'
        else 'pulled_in'
      end as term, new_value * rate as value, new_value * rate * new_percent as percents
    from changes where counts and not counted
    union all
    select opportunity_id,
      case
        when new_seq is null then 'handed_out'
        when new_is_deleted then 'removed'
        when new_status <> 'open' then new_status
        when not new_is_ours then 'handed_out'
        else 'pushed_out'
      end, -new_value * rate, -new_value * rate * old_percent
    from changes where counted and not counts
    union all
    select opportunity_id, 'currency', old_value * (changes.rate - coalesce(old_rate.rate, 0)),
      old_value * (changes.rate - coalesce(old_rate.rate, 0)) * old_percent
    from changes
    left join rates as old_rate on old_rate.currency = changes.old_currency
      and old_rate.on_day = (changes.moment at time zone zone)::date
    where counted and changes.currency <> changes.old_currency and old_value <> 0 and changes.rate <> coalesce(old_rate.rate, 0)
    union all
    select opportunity_id, case when new_value < old_value then 'value_down' else 'value_up' end,
      (new_value - old_value) * rate, (new_value - old_value) * rate * old_percent
    from changes where counted and new_value <> old_value and rate <> 0
    union all
    select opportunity_id, 'stage', 0, amount * (staged_percent - old_percent)
    from staged where amount <> 0 and staged_percent <> old_percent
    union all
    select opportunity_id,
      case when new_source is not distinct from 'stage' and old_source is not distinct from 'stage'
        and new_stage_id is not distinct from old_stage_id then 'stage_default' else 'own_probability' end,
      0, amount * (new_percent - staged_percent)
    from staged where amount <> 0 and new_percent <> staged_percent
  )
  select opportunity_id, term, value, percents * 0.01 from standing
  union all
  select opportunity_id, term, value, percents * 0.01 from effects
$$;

comment on function analytics.pipeline_movements is 'What moved the open pipeline between two days, by cause and opportunity.';

-- Units of one currency for one of each, on every day of a stretch; another currency has no row on days without a rate.
-- Currencies cross through the report currency.
create function analytics.exchange_rates_between(into_currency text, first_day date, last_day date)
returns table (on_day date, currency text, rate numeric)
language sql stable
as $$
  select each.day::date, one.currency, one.rate / other.rate
  from generate_series(first_day::timestamp, last_day, interval '1 day') as each (day)
  join analytics.exchange_rates_over_time as one
    on one.first_day <= each.day and one.next_day > each.day and one.currency <> into_currency
    -- only those that hold in the stretch are compared with each of its days
    and one.first_day <= exchange_rates_between.last_day and one.next_day > exchange_rates_between.first_day
  join analytics.exchange_rates_over_time as other
    on other.first_day <= each.day and other.next_day > each.day and other.currency = into_currency
  union all
  select each.day::date, into_currency, 1
  from generate_series(first_day::timestamp, last_day, interval '1 day') as each (day)
$$;

comment on function analytics.exchange_rates_between is 'The rates into one currency on each day.';

-- One row per row of a table and problem with it that moves a number on some page, of what the database does not refuse
-- already: what is missing, what an older system stored, and what has become wrong since, such as a person who left.
-- It is one from first_day until before next_day, where those are not null.
-- Every arm names its problem as a constant, so that asking for one problem runs one arm.
create view analytics.data_problems with (security_invoker = true) as
with
working as (
  select user_id from public.crm_profiles where is_active
),
organizers as (  -- read once for all that is asked of them, as the open opportunities are
  select id, company_name, assigned_to, status <> 'archived' as is_kept, (event_tally).entries, (event_tally).events,
    (event_tally).wrong_revenues, (event_tally).wrong_answers, (event_tally).unanswered
  from public.crm_organizers
),
open_deals as (
  select id, name, organizer_id, assigned_to, stage_id, value, currency, expected_close_date
  from public.crm_opportunities
  where status = 'open'
),
rated as (  -- from its first rate on a currency has one on every day
  select currency, min(first_day) as since from analytics.exchange_rates_over_time group by currency
)
select 'history_unreadable' as problem, 'crm_organizers' as table_name, organizer.id as record_id,
  organizer.company_name as record, organizer.id as organizer_id, organizer.assigned_to as owner_id,
  format('%s of %s entries are no event with a day', organizer.entries - organizer.events, organizer.entries) as detail,
  null::date as first_day, null::date as next_day
from organizers as organizer
where organizer.events < organizer.entries
union all
select 'history_amount', 'crm_organizers', organizer.id, organizer.company_name, organizer.id, organizer.assigned_to,
  format('%s of %s entries', organizer.wrong_revenues, organizer.entries), null, null
from organizers as organizer
where organizer.wrong_revenues > 0
union all
select 'satisfaction_wrong', 'crm_organizers', organizer.id, organizer.company_name, organizer.id, organizer.assigned_to,
  format('%s of %s entries', organizer.wrong_answers, organizer.entries), null, null
from organizers as organizer
where organizer.wrong_answers > 0
union all
select 'satisfaction_missing', 'crm_organizers', organizer.id, organizer.company_name, organizer.id, organizer.assigned_to,
  format('%s of %s events', organizer.unanswered, organizer.events), null, null
from organizers as organizer
where organizer.unanswered > 0 and organizer.is_kept
union all
select 'won_without_events', 'crm_organizers', organizer.id, organizer.company_name, organizer.id, organizer.assigned_to,
  format('won %s, no event is known', deals.won), null, null
from organizers as organizer
cross join lateral (
  select count(*) as won from public.crm_opportunities as deal where deal.organizer_id = organizer.id and deal.status = 'won'
) as deals
where organizer.events = 0 and organizer.is_kept and deals.won > 0
  and not exists (select from analytics.known_events as event where event.organizer_id = organizer.id)
union all
select 'organizer_twice', 'crm_organizers', organizer.id, organizer.company_name, organizer.id, organizer.assigned_to,
  format('%s organizers bear this name', organizer.same), null, null
from (
  select id, company_name, assigned_to, count(*) over (partition by trim(app.fold(company_name))) as same
  from organizers where is_kept
) as organizer
where organizer.same > 1
union all
select 'no_contacts', 'crm_organizers', organizer.id, organizer.company_name, organizer.id, organizer.assigned_to, '', null, null
from organizers as organizer
where organizer.is_kept
  and not exists (select from public.crm_contacts as contact where contact.organizer_id = organizer.id)
union all
select 'no_decision_maker', 'crm_organizers', organizer.id, organizer.company_name, organizer.id, organizer.assigned_to,
  format('none of %s', people.contacts), null, null
from organizers as organizer
join (
  select organizer_id, count(*) as contacts from public.crm_contacts
  group by organizer_id having not bool_or(is_decision_maker)
) as people on people.organizer_id = organizer.id
where organizer.is_kept
union all
select 'organizer_without_owner', 'crm_organizers', organizer.id, organizer.company_name, organizer.id, null, '', null, null
from organizers as organizer
where organizer.assigned_to is null and organizer.is_kept
union all
select 'organizer_of_leaver', 'crm_organizers', organizer.id, organizer.company_name, organizer.id,
  organizer.assigned_to, '', null, null
from organizers as organizer
where organizer.assigned_to not in (select user_id from working) and organizer.is_kept
union all
select 'overdue', 'crm_opportunities', deal.id, deal.name, deal.organizer_id, deal.assigned_to,
  format('expected %s', deal.expected_close_date), deal.expected_close_date + 1, null
from open_deals as deal
where deal.expected_close_date is not null
union all
select 'undated', 'crm_opportunities', deal.id, deal.name, deal.organizer_id, deal.assigned_to, '', null, null
from open_deals as deal
where deal.expected_close_date is null
union all
select 'worthless', 'crm_opportunities', deal.id, deal.name, deal.organizer_id, deal.assigned_to, '', null, null
from open_deals as deal
where deal.value = 0
union all
select 'open_without_rate', 'crm_opportunities', deal.id, deal.name, deal.organizer_id, deal.assigned_to,
  format('%s %s', deal.currency, deal.value), null, rated.since
from open_deals as deal
left join rated on rated.currency = deal.currency
union all
select 'closed_without_rate', 'crm_opportunities', deal.id, deal.name, deal.organizer_id, deal.assigned_to,
  format('%s %s, %s on %s', deal.currency, deal.value, deal.status, deal.actual_close_date), null, null
from (
  select closed.opportunity_id
  from analytics.closed_opportunities as closed
  left join rated on rated.currency = closed.currency
  where closed.valid_to is null and closed.outcome in ('won', 'lost') and coalesce(rated.since > closed.closed_on, true)
  offset 0  -- found from an index alone, and then looked up one by one: they are few
) as lacking
cross join lateral (select * from public.crm_opportunities where id = lacking.opportunity_id offset 0) as deal
union all
select 'opportunity_without_owner', 'crm_opportunities', deal.id, deal.name, deal.organizer_id, null, '', null, null
from open_deals as deal
where deal.assigned_to is null
union all
select 'opportunity_of_leaver', 'crm_opportunities', deal.id, deal.name, deal.organizer_id, deal.assigned_to, '', null, null
from open_deals as deal
where deal.assigned_to not in (select user_id from working)
union all
select 'stage_out_of_use', 'crm_opportunities', deal.id, deal.name, deal.organizer_id, deal.assigned_to,
  format('%s is %s', stage.name, case when stage.is_closed then 'a closed stage' else 'not active' end), null, null
from open_deals as deal
join public.crm_pipeline_stages as stage on stage.id = deal.stage_id
where (stage.is_closed or not stage.is_active)
union all
select 'activity_far_ahead', 'crm_activities', activity.id, activity.subject, activity.organizer_id, activity.user_id,
  format('dated %s', to_char(activity.activity_date, 'FMYYYY-MM-DD')), null, null
from public.crm_activities as activity
where activity.activity_date > now() + interval '2 years'
union all
select 'task_undated', 'crm_activities', task.id, task.subject, task.organizer_id, task.user_id, '', null, null
from public.crm_activities as task
where task.is_task = true and task.task_status = 'pending' and task.due_date is null
union all
select 'task_of_leaver', 'crm_activities', task.id, task.subject, task.organizer_id, task.user_id, '', null, null
from public.crm_activities as task
where task.is_task = true and task.task_status = 'pending' and task.user_id not in (select user_id from working)
union all
select 'contact_time_zone', 'crm_contacts', contact.id, contact.full_name, contact.organizer_id, organizer.assigned_to,
  contact.timezone, null, null
from public.crm_contacts as contact
join public.crm_organizers as organizer on organizer.id = contact.organizer_id
where contact.timezone in (
  select zone from (
    select distinct timezone as zone from public.crm_contacts
    offset 0  -- a few dozen zones are asked about, not every contact's
  ) as zones
  where not app.is_time_zone(zone))
union all
select 'person_time_zone', 'crm_profiles', person.user_id, person.full_name, null, person.user_id, person.time_zone, null, null
from public.crm_profiles as person
where person.is_active and not app.is_time_zone(person.time_zone)
union all
select 'target_without_rate', 'crm_targets', target.id, format('Target from %s', target.period_start), null,
  target.user_id, format('%s %s', target.currency, target.amount), null, rated.since
from public.crm_targets as target
left join rated on rated.currency = target.currency;

comment on view analytics.data_problems is 'Rows that move a number on some page and should not, or fail to and should: one row per row and problem.';

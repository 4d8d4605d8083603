-- What a refresh of 100,000 organizers costs, beside what it reads.

-- Every one is written once a day. With room on its page the new row stays there and moves no index, of which two hold
-- the words of a JSON document.
alter table public.crm_organizers set (fillfactor = 70);

-- A score of engagement costs two looks into the index, however long the organizer has been a client: who was in touch
-- lately, and when last. Every logged activity pays for that as well.

create function app.engagement_of(organizer uuid, at timestamptz) returns table (score integer, latest timestamptz)
language sql stable
begin atomic
  select app.engagement_score(lately.activities, last_one.activity_date, at), last_one.activity_date
  from (
    select count(*) as activities
    from public.crm_activities as activity
    where activity.organizer_id = organizer
      and activity.activity_date > at - interval '720 hours' and activity.activity_date <= at
      and (activity.task_status is null or activity.task_status = 'completed')
  ) as lately
  left join (
    select activity.activity_date
    from public.crm_activities as activity
    where activity.organizer_id = organizer and activity.activity_date <= at
      and (activity.task_status is null or activity.task_status = 'completed')
    order by activity.activity_date desc
    limit 1
  ) as last_one on true;
end;
comment on function app.engagement_of is 'An organizer''s engagement score at a moment, and its last activity until then: one row.';

create or replace function app.update_engagement(organizers uuid[], contacts uuid[]) returns void
language sql security definer set search_path = ''
begin atomic
  update public.crm_organizers as organizer
  set engagement_score = engagement.score, last_activity_at = engagement.latest
  from (select app.effective_time() as at) as moment, unnest(organizers) as target (id),
    app.engagement_of(target.id, moment.at) as engagement
  where organizer.id = target.id
    and (organizer.engagement_score, organizer.last_activity_at) is distinct from (engagement.score, engagement.latest);
  update public.crm_contacts as contact
  set last_contact_date = happened.latest
  from (
    select target.id, max(activity.activity_date) as latest
    from unnest(contacts) as target (id)
    left join public.crm_activities as activity on activity.contact_id = target.id
      and activity.activity_date <= app.effective_time()
      and (activity.task_status is null or activity.task_status = 'completed')
    group by target.id
  ) as happened
  where contact.id = happened.id and contact.last_contact_date is distinct from happened.latest;
end;

revoke execute on all routines in schema app from public;

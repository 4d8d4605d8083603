-- One row per activity that has happened, and per one that is scheduled: those with happens_at > now(). A pending task is
-- not yet an activity, a cancelled one never. What was known at a moment M: known_at < M.
create view analytics.activities with (security_invoker = true) as
select
  id as activity_id, organizer_id, contact_id, opportunity_id, user_id, type, subject, duration_minutes,
  activity_date as happens_at,
  greatest(created_at, completed_at) as known_at
from public.crm_activities
where task_status is null or task_status = 'completed';

comment on view analytics.activities is 'What has happened with organizers, and what is scheduled.';

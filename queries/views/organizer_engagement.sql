-- One row per organizer: its engagement score as of now, whether or not anybody has edited anything. Without an activity in
-- the last 30 days the score is 0, whenever the one before was.
create view analytics.organizer_engagement with (security_invoker = true) as
select
  organizer.id as organizer_id,
  coalesce(lately.activities, 0) as activities, -- in the last 30 days: 30 times 24 hours
  app.engagement_score(coalesce(lately.activities, 0), lately.latest, now()) as score
from public.crm_organizers as organizer
left join (
  select organizer_id, count(*) as activities, max(happens_at) as latest
  from analytics.activities
  where happens_at > now() - interval '720 hours' and happens_at <= now()
  group by organizer_id
) as lately on lately.organizer_id = organizer.id;

comment on view analytics.organizer_engagement is 'The engagement score of each organizer as of now.';

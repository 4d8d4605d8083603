-- One row per quarter of an hour, type, and for those who don't see everything also person and owner of the organizer:
-- how many of the viewer's rows of analytics.activities lie in it. Each part asks an index of its own, and only the parts
-- that are the viewer's run.
create view analytics.activity_counts with (security_invoker = true) as
select quarter_hour, type, activities
from public.crm_activity_counts
where (select app.sees_all())
union all
select quarter_hour, type, activities
from public.crm_activity_counts_by_person
where not (select app.sees_all()) and user_id = any ((select app.team())::uuid[])
union all
select quarter_hour, type, activities
from public.crm_activity_counts_by_person
where not (select app.sees_all()) and assigned_to = any ((select app.team())::uuid[]) and user_id <> all ((select app.team())::uuid[]);

comment on view analytics.activity_counts is 'Number of activities per quarter of an hour and type, of those that the viewer may see.';

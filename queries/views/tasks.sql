-- One row per task. Open at a moment M: created_at < M, not cancelled, and completed_at is null or >= M; overdue: open and
-- due_at < M. When a task was cancelled is not kept, so a cancelled one counts as never open.
create view analytics.tasks with (security_invoker = true) as
select
  id as task_id, organizer_id, opportunity_id, user_id, subject,
  task_status as status, -- pending, completed or cancelled
  coalesce(due_date, activity_date) as due_at,
  completed_at, created_at, version
from public.crm_activities
where is_task;

comment on view analytics.tasks is 'What somebody is or was to do.';

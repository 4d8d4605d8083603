-- What people call each record that has a history: one row per record that the viewer may see.
create view analytics.record_names with (security_invoker = true) as
select 'crm_organizers' as table_name, id as record_id, company_name as name from public.crm_organizers
union all
select 'crm_contacts', id, full_name from public.crm_contacts
union all
select 'crm_opportunities', id, name from public.crm_opportunities
union all
select 'crm_activities', id, subject from public.crm_activities
union all
select 'crm_notes', id, coalesce(title, left(content, 60)) from public.crm_notes
union all
select 'crm_documents', id, file_name from public.crm_documents
union all
select 'events', event_id, name from analytics.known_events
union all
select 'crm_email_templates', id, name from public.crm_email_templates
union all
select 'crm_pipeline_stages', id, name from public.crm_pipeline_stages
union all
select 'crm_exchange_rates', id, currency || ' ' || rate_date from public.crm_exchange_rates
union all
select 'crm_profiles', user_id, full_name from public.crm_profiles
union all
select 'crm_user_roles', role.user_id, person.full_name
from public.crm_user_roles as role
join public.crm_profiles as person using (user_id)
union all
select 'crm_targets', target.id, concat(person.full_name, ' ', target.period_start)
from public.crm_targets as target
left join public.crm_profiles as person using (user_id)
union all
select 'crm_forecast_adjustments', adjustment.id, concat(person.full_name, ' ', adjustment.period_start)
from public.crm_forecast_adjustments as adjustment
left join public.crm_profiles as person on person.user_id = adjustment.owner_id;

comment on view analytics.record_names is 'What people call a record, by its table and its key.';

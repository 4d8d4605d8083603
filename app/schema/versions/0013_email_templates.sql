-- Email templates.

create table public.crm_email_templates (
  id uuid primary key default gen_random_uuid(),
  name text not null check (app.is_line(name)),
  description text check (app.is_text(description, 2000)),
  subject text not null check (app.is_line(subject, 500)),
  body_html text not null check (app.is_text(body_html, 500000)),
  body_text text check (app.is_text(body_text, 500000)),
  category text check (category in ('welcome', 'follow_up', 'proposal', 'reminder', 'thank_you', 'other')),
  variables jsonb not null default '[]' check (app.is_list(variables)),
  is_active boolean not null default true,
  created_by uuid default app.actor_id() references auth.users (id),
  created_at timestamptz not null default now() check (app.is_moment(created_at)),
  updated_at timestamptz not null default now(),
  version integer not null default 1
);
comment on table public.crm_email_templates is 'An email with places for an organizer''s details.';
comment on column public.crm_email_templates.variables is 'What may be filled in, written {{company_name}} in the text: [{name, description}]';
create index idx_templates_category on public.crm_email_templates (category);
create index idx_templates_active on public.crm_email_templates (is_active) where is_active = true;
create index idx_templates_created_by on public.crm_email_templates (created_by);
create index idx_templates_variables on public.crm_email_templates using gin (variables jsonb_path_ops);

create trigger update_templates_updated_at before update on public.crm_email_templates
  for each row execute function public.update_updated_at_column();
call app.track('public.crm_email_templates');

call app.protect('public.crm_email_templates');
grant select, delete,
  insert (id, name, description, subject, body_html, body_text, category, variables, is_active),
  update (name, description, subject, body_html, body_text, category, variables, is_active)
  on public.crm_email_templates to authenticated;
create policy templates_select on public.crm_email_templates for select to authenticated
  using ((select app.viewer_role()) is not null);
create policy templates_insert on public.crm_email_templates for insert to authenticated
  with check ((select app.is_admin()));
create policy templates_update on public.crm_email_templates for update to authenticated
  using ((select app.is_admin())) with check ((select app.is_admin()));
create policy templates_delete on public.crm_email_templates for delete to authenticated
  using ((select app.is_admin()));

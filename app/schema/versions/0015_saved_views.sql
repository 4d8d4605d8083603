-- Saved views: a person's own names for scopes that they come back to.

create table public.crm_saved_views (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default app.actor_id() references auth.users (id),
  page text not null check (app.is_line(page, 60)),
  name text not null check (app.is_line(name, 80)),
  query text not null check (app.is_text(query, 4000)),
  is_default boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  version integer not null default 1
);
comment on table public.crm_saved_views is 'A page''s scope under a name.';
comment on column public.crm_saved_views.query is 'The address after the question mark: what the scope bar keeps there.';
create unique index idx_saved_views_name on public.crm_saved_views (user_id, page, lower(name));
create unique index idx_saved_views_one_default on public.crm_saved_views (user_id, page) where is_default;

create trigger update_saved_views_updated_at before update on public.crm_saved_views
  for each row execute function public.update_updated_at_column();
-- Not audited: admins read the audit, and what a person saved is nobody else's.
create trigger version before update on public.crm_saved_views
  for each row execute function app.next_version();
create trigger announce after insert or update or delete on public.crm_saved_views
  for each statement execute function app.announce();

call app.protect('public.crm_saved_views');
grant select, delete, insert (id, user_id, page, name, query, is_default), update (name, query, is_default)
  on public.crm_saved_views to authenticated;
create policy saved_views_select on public.crm_saved_views for select to authenticated
  using (user_id = (select app.viewer_id()) and (select app.viewer_role()) is not null);
create policy saved_views_insert on public.crm_saved_views for insert to authenticated
  with check (user_id = (select app.viewer_id()) and (select app.viewer_role()) is not null);
create policy saved_views_update on public.crm_saved_views for update to authenticated
  using (user_id = (select app.viewer_id()) and (select app.viewer_role()) is not null)
  with check (user_id = (select app.viewer_id()));
create policy saved_views_delete on public.crm_saved_views for delete to authenticated
  using (user_id = (select app.viewer_id()) and (select app.viewer_role()) is not null);

-- What the customer's other application has on the hosted PostgreSQL, in names that we would use. Run by the owner.

create type public.app_role as enum ('admin', 'moderator', 'user');
create table public.user_roles (user_id uuid not null, role public.app_role not null, primary key (user_id, role));
create function public.has_role(_user_id uuid, _role public.app_role) returns boolean
language sql stable security definer set search_path = public
as $$ select exists (select from user_roles where user_id = _user_id and role = _role) $$;
create function public.update_updated_at_column() returns trigger language plpgsql
as $$ begin new.updated_at = now(); return new; end $$;
create table public.events (
  id uuid primary key default gen_random_uuid(),
  title text not null,
  starts_at timestamptz
);
alter table public.events enable row level security;
create policy "Everybody sees events" on public.events for select using (true);

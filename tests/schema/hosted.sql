-- A hosted PostgreSQL as Supabase gives one, as far as it meets our migrations: what is there already, whose it is, and
-- that everything new in public is granted to everybody. Run by the superuser; the owner's login is its `postgres`.

do $$
begin
  if not exists (select from pg_roles where rolname = 'supabase_auth_admin') then
    create role supabase_auth_admin nologin noinherit;
  end if;
end $$;

create schema auth authorization supabase_auth_admin;
create table auth.users (
  instance_id uuid,
  id uuid primary key,
  aud varchar(255),
  role varchar(255),
  email varchar(255),
  encrypted_password varchar(255),
  raw_user_meta_data jsonb,
  created_at timestamptz
);
alter table auth.users owner to supabase_auth_admin;
-- Row-level security is on there, and its `postgres` bypasses it; our owner's login here does not, so it is off.
create function auth.uid() returns uuid language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid
$$;
alter function auth.uid() owner to supabase_auth_admin;
grant usage on schema auth to eventos_owner, anon, authenticated, service_role;
grant all on auth.users to eventos_owner;

grant usage on schema public to anon, authenticated, service_role;
alter default privileges for role eventos_owner in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges for role eventos_owner in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges for role eventos_owner in schema public grant all on sequences to anon, authenticated, service_role;

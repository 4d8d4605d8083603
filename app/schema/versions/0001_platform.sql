-- What the schema document presupposes of its platform, created only where absent, so that the same script
-- runs on a plain PostgreSQL and on Supabase (which brings all of it and is left as it is).

do $$
begin
  if not exists (select from pg_roles where rolname = 'anon') then
    create role anon nologin noinherit;
  end if;
  if not exists (select from pg_roles where rolname = 'authenticated') then
    create role authenticated nologin noinherit;
  end if;
  if not exists (select from pg_roles where rolname = 'service_role') then
    create role service_role nologin noinherit;
  end if;
  -- The app's login: may become `authenticated` and nothing else, owns nothing, and only reads unless a
  -- transaction says otherwise. It has no password until an administrator gives it one.
  if not exists (select from pg_roles where rolname = 'eventos_app') then
    create role eventos_app login noinherit;
    alter role eventos_app set default_transaction_read_only = on;
  end if;
  if not pg_has_role('eventos_app', 'authenticated', 'member') then
    grant authenticated to eventos_app;
  end if;
end $$;

create schema if not exists app;
comment on schema app is 'Helpers of the access rules and triggers; nothing here is a table that people read.';
grant usage on schema app to authenticated;

do $$
begin
  if to_regnamespace('auth') is null then
    create schema auth;
    grant usage on schema auth to authenticated;
  end if;
  if to_regclass('auth.users') is null then
    create table auth.users (
      id uuid primary key default gen_random_uuid(),
      email text not null unique check (email ~ '^[^@[:space:]]+@[^@[:space:]]+$' and length(email) <= 320)
    );
    alter table auth.users enable row level security;
    comment on table auth.users is 'Who may sign in. Read by helpers only: no policy, no grant.';
  end if;
  if to_regprocedure('auth.uid()') is null then
    create function auth.uid() returns uuid
    language sql stable parallel safe set search_path = ''
    return nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid;
    revoke execute on function auth.uid() from public;
    grant execute on function auth.uid() to authenticated;
  end if;
  if to_regprocedure('public.update_updated_at_column()') is null then
    create function public.update_updated_at_column() returns trigger
    language plpgsql set search_path = ''
    as 'begin new.updated_at := clock_timestamp(); return new; end';
    revoke execute on function public.update_updated_at_column() from public, anon, authenticated, service_role;
  end if;
end $$;

-- Extensions make search better where they can be had; nothing depends on them.
do $$
declare
  wanted text;
begin
  foreach wanted in array array['unaccent', 'pg_trgm'] loop
    if exists (select from pg_available_extensions where name = wanted) then
      begin
        execute format('create extension if not exists %I', wanted);
      exception when insufficient_privilege then
        raise notice 'The extension % is not installed and may not be created by this login; search works without it.', wanted;
      end;
    end if;
  end loop;
end $$;

-- How functions are written here -------------------------------------------------------------------------------
-- With search_path = '' every relation is named with its schema, and a body of SQL (`return`, `begin atomic`) is bound
-- to what its names mean now, not when it runs. A body of PL/pgSQL also names the schema of its types: the empty path
-- still looks for a type in pg_temp first, and a domain called uuid there runs its check with the definer's rights.

-- Privileges that a platform grants by default (Supabase: all on every new table, TRUNCATE and TRIGGER among
-- them) are taken away again; each table's own file then grants verb by verb, column by column.
create procedure app.protect(target regclass)
language plpgsql set search_path = ''
as $$
begin
  execute format('alter table %s enable row level security', target);
  execute format('revoke all on table %s from public, anon, authenticated, service_role', target);
end $$;
comment on procedure app.protect is 'Turns row-level security on and takes every default privilege away.';

do $$
begin
  if to_regclass('app.alembic_version') is not null then  -- not where the files are run by hand
    call app.protect('app.alembic_version');
  end if;
end $$;

-- What may be written into a column ------------------------------------------------------------------------
-- Bodies of the standard's form are bound when they are created, so they need no search_path; without one PostgreSQL
-- writes them into the checks, and COPY takes 130,000 rows a second of its own time instead of 53,000.

create function app.is_line(value text, longest integer default 200) returns boolean
language sql immutable parallel safe
return length(value) between 1 and longest and btrim(value) <> ''
  and value !~ '[\u0001-\u001F\u007F-\u009F\u2028\u2029]';
comment on function app.is_line is 'One line of text: not blank, not longer than allowed, no control character or other end of a line.';

create function app.is_text(value text, longest integer) returns boolean
language sql immutable parallel safe
return length(value) <= longest;
comment on function app.is_text is 'Text of several lines, not longer than allowed.';

create function app.is_email(value text) returns boolean
language sql immutable parallel safe
return app.is_line(value, 320) and value ~ '^[^@[:space:]]+@[^@[:space:]]+$';

create function app.is_web_address(value text) returns boolean
language sql immutable parallel safe
return app.is_line(value, 2000) and value ~* '^https?://[^[:space:]]+$';
comment on function app.is_web_address is 'Only http and https: a javascript: address in a link would run in the reader''s browser.';

create function app.is_tags(value text[]) returns boolean
language sql immutable parallel safe
return cardinality(value) <= 50 and array_position(value, null) is null
  and coalesce((select bool_and(app.is_line(tag, 60)) from unnest(value) as tag), true);

create function app.is_object(value jsonb) returns boolean
language sql immutable parallel safe
return jsonb_typeof(value) = 'object' and length(value::text) <= 20000;

create function app.is_list(value jsonb) returns boolean
language sql immutable parallel safe
return jsonb_typeof(value) = 'array' and length(value::text) <= 200000;

create function app.is_amount(value numeric) returns boolean
language sql immutable parallel safe
return value between 0 and 9999999999999999.99;
comment on function app.is_amount is 'Finite and not negative: numeric takes NaN, and one NaN turns every sum to NaN.';

create function app.is_currency(value text) returns boolean
language sql immutable parallel safe
return value ~ '^[A-Z]{3}$' and value not in ('XXX', 'XTS');
comment on function app.is_currency is 'A three-letter ISO 4217 code; XXX (none) and XTS (testing) are no money.';

create function app.is_day(value date) returns boolean
language sql immutable parallel safe
return value between date '1900-01-01' and date '2200-12-31';
comment on function app.is_day is 'DATE takes infinity and the year 10000, which the client cannot read back.';

create function app.is_moment(value timestamptz) returns boolean
language sql immutable parallel safe
return value between timestamptz '1900-01-01 00:00+00' and timestamptz '2200-12-31 23:59+00';

create function app.is_time_zone(value text) returns boolean
language plpgsql stable set search_path = '' set timezone = 'UTC'  -- which is back at the end, whatever is tried below
as $$
begin
  -- Set, a zone answers with its own spelling: of 'america/toronto' and 'Foo/Bar-5', which PostgreSQL takes and
  -- Python does not, the first comes back changed and the second is a rule with an offset, not a name.
  return set_config('TimeZone', value, true) = value
    and value ~ '^(UTC|Etc/GMT[+-]\d{1,2}|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z_-]+)+)$';
exception when invalid_parameter_value then
  return false;
end $$;
comment on function app.is_time_zone is 'A name of the zone database as it is written there: every reader knows it.';

do $$
begin
  if to_regprocedure('public.unaccent(regdictionary, text)') is not null then
    -- unaccent() is only STABLE because its dictionary could change; naming the dictionary makes it fit for an index.
    create function app.fold(value text) returns text
    language sql immutable parallel safe set search_path = ''
    return lower(public.unaccent('public.unaccent'::regdictionary, value));
  else
    create function app.fold(value text) returns text
    language sql immutable parallel safe set search_path = ''
    return lower(value);
  end if;
end $$;
comment on function app.fold is 'How search compares text: without case, and without accents where the extension is installed.';

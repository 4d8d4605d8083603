-- What a new embedded server gets before the first migration; psql runs it, and may run it again.
-- On a server of your own, do the same with names and passwords of your choice.

-- Owns the database and makes the other roles; not a superuser, so that nothing comes to depend on one.
select 'create role eventos_owner login createrole'
where not exists (select from pg_roles where rolname = 'eventos_owner') \gexec

select 'create database eventos owner eventos_owner'
where not exists (select from pg_database where datname = 'eventos') \gexec

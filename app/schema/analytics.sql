-- The views that say what a word means, rebuilt whole at every migration and whenever one of them has changed.
-- `eventos migrate` puts the files of queries/views in the place marked below, each after those it reads.

drop schema if exists analytics cascade;
create schema analytics;

:views

grant usage on schema analytics to authenticated;
grant select on all tables in schema analytics to authenticated;
revoke execute on all functions in schema analytics from public;
grant execute on all functions in schema analytics to authenticated;

-- What the app compares with what it needs before it serves; a comment can be read without any grant.
comment on schema analytics is 'migration :migration, views :checksum';

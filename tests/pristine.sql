-- The rows that every test starts from, and the way back to them: without triggers, and only where a test left something.

create schema pristine;

create view pristine.tables as
select relation.oid::regclass as name, 'pristine.' || quote_ident(relname) as copy,
  (select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
   where attrelid = relation.oid and attnum > 0 and not attisdropped and attgenerated = '') as columns
from pg_class as relation
where relkind = 'r'
  and (relnamespace = 'public'::regnamespace or relation.oid = 'auth.users'::regclass);

do $$
declare
  kept record;
begin
  for kept in select * from pristine.tables loop
    execute format('create table %s as select %s from %s', kept.copy, kept.columns, kept.name);
  end loop;
end $$;

create procedure pristine.restore()
language plpgsql
as $$
declare
  kept record;
  differs boolean;
begin
  set local session_replication_role = replica;
  for kept in select * from pristine.tables loop
    execute format(
      'select exists (select %2$s from %1$s except all select * from %3$s)'
      ' or exists (select * from %3$s except all select %2$s from %1$s)', kept.name, kept.columns, kept.copy)
      into differs;
    if differs then
      execute format('delete from %s', kept.name);
      execute format('insert into %s (%s) overriding system value select * from %s', kept.name, kept.columns, kept.copy);
    end if;
  end loop;
end $$;

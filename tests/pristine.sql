-- The rows that every test starts from, and the way back to them, only where a test left something: one plan for all
-- tables, which a connection that stays open makes once. Most tables are empty at the start; that is quickly seen.
-- `keep` keeps a company that many tests start from; the way there is the way back, to other rows.

create schema pristine;

create table pristine.ways (
  state text not null,
  table_name text not null,
  columns text not null,
  way text not null,
  primary key (state, table_name)
);

create procedure pristine.add_way(state text, table_name text, columns text)
language plpgsql
as $$
declare
  copy text := format('pristine.%I', state || ' ' || table_name);
begin
  execute format('create table %s as select %s from %s', copy, columns, table_name);
  insert into pristine.ways values (state, table_name, columns, format(
    'delete from %1$s; insert into %1$s (%2$s) overriding system value select * from %3$s', table_name, columns, copy));
end $$;

do $$
declare
  kept record;
  is_empty boolean;
  differs text;
  changes text[];
begin
  for kept in
    select relation.oid::regclass::text as name,
      (select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
       where attrelid = relation.oid and attnum > 0 and not attisdropped and attgenerated = '') as columns
    from pg_class as relation
    where relkind = 'r'
      and (relnamespace = 'public'::regnamespace or relation.oid = 'auth.users'::regclass)
  loop
    call pristine.add_way('start', kept.name, kept.columns);
    execute format('select not exists (select from %s)', kept.name) into is_empty;
    differs := case when is_empty then 'exists (select from %1$s)'
      else 'exists (select %2$s from %1$s except all select * from pristine.%3$I)'
        ' or exists (select * from pristine.%3$I except all select %2$s from %1$s)' end;
    changes := changes || format(
      'select %1$L as table_name, %2$L as columns where ' || differs, kept.name, kept.columns, 'start ' || kept.name);
  end loop;
  execute 'create view pristine.changes as ' || array_to_string(changes, ' union all ');
end $$;

create procedure pristine.keep(state text)
language plpgsql
as $$
declare
  change record;
begin
  for change in
    select table_name, columns from pristine.changes
    union
    select ways.table_name, ways.columns from pristine.ways where ways.state <> 'start'  -- it may be left out again here
  loop
    call pristine.add_way(state, change.table_name, change.columns);
  end loop;
end $$;

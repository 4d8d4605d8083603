-- Finding records: in documents and templates too, by names that are not quite as they were typed, the latest first.

-- A file's name is words between dots, hyphens and underscores; the parser would take it for a host's name, one word.
create index idx_documents_search on public.crm_documents
  using gin (to_tsvector('simple', translate(app.fold(file_name), '._-', '   ')));
create index idx_templates_search on public.crm_email_templates
  using gin (to_tsvector('simple', app.fold(name || ' ' || subject || ' ' || coalesce(description, ''))));

do $$
begin
  if to_regprocedure('public.word_similarity(text, text)') is not null then
    create index idx_organizers_similar on public.crm_organizers using gin (app.fold(company_name) public.gin_trgm_ops);
    create index idx_contacts_similar on public.crm_contacts
      using gin (app.fold(full_name || ' ' || email) public.gin_trgm_ops);
    create index idx_opportunities_similar on public.crm_opportunities using gin (app.fold(name) public.gin_trgm_ops);
    create index idx_documents_similar on public.crm_documents using gin (app.fold(file_name) public.gin_trgm_ops);
  end if;
end $$;

-- The orders in which lists begin, so that the first page of a million rows is read and not sorted.
create index idx_organizers_by_name on public.crm_organizers (app.fold(company_name), id);
create index idx_contacts_by_name on public.crm_contacts (app.fold(full_name), id);
create index idx_opportunities_by_name on public.crm_opportunities (app.fold(name), id);
create index idx_opportunities_created on public.crm_opportunities (created_at, id);
create index idx_activities_by_date on public.crm_activities (activity_date, id);
create index idx_notes_created on public.crm_notes (created_at, id);
create index idx_documents_created on public.crm_documents (created_at, id);

-- Under row-level security the planner may not use a text index (see 0018), so these functions ask with the owner's
-- rights and repeat each table's select policy: a test holds them against the policies. The statements are put together
-- from this table and from nothing that anybody typed.
create function app.searched()
returns table (table_name text, words text, name text, label text, organizer text, latest text, has_order boolean, theirs text)
language sql immutable parallel safe set search_path = ''
begin atomic
  values
    ('crm_organizers', 'to_tsvector(''simple'', app.fold(company_name))', 'app.fold(company_name)', 'company_name', 'id',
      'last_activity_at', false, 'assigned_to = any ($2)'),
    ('crm_contacts', 'to_tsvector(''simple'', app.fold(full_name || '' '' || email || '' '' || coalesce(title, '''')))',
      'app.fold(full_name || '' '' || email)', 'full_name', 'organizer_id', 'last_contact_date', false,
      'organizer_id = any ($3)'),
    ('crm_opportunities', 'to_tsvector(''simple'', app.fold(name || '' '' || coalesce(description, '''')))', 'app.fold(name)',
      'name', 'organizer_id', 'created_at', true, '(assigned_to = any ($2) or organizer_id = any ($3))'),
    ('crm_activities', 'to_tsvector(''simple'', app.fold(subject || '' '' || coalesce(description, '''')))', null, 'subject',
      'organizer_id', 'activity_date', true, '(user_id = any ($2) or organizer_id = any ($3))'),
    ('crm_notes', 'to_tsvector(''simple'', app.fold(coalesce(title, '''') || '' '' || content))', null,
      'coalesce(title, left(content, 80))', 'organizer_id', 'created_at', true, 'organizer_id = any ($3)'),
    ('crm_documents', 'to_tsvector(''simple'', translate(app.fold(file_name), ''._-'', ''   ''))', 'app.fold(file_name)',
      'file_name', 'organizer_id', 'created_at', true, 'organizer_id = any ($3)'),
    ('crm_email_templates', 'to_tsvector(''simple'', app.fold(name || '' '' || subject || '' '' || coalesce(description, '''')))',
      'app.fold(name)', 'name', 'null::pg_catalog.uuid', 'created_at', false, 'app.viewer_role() is not null');
end;
comment on function app.searched is 'What is searched in each table: its words, its name where one with a slip is found too, what a result is called, and whose it is, as the select policy has it. $1 is the query, $2 the viewer''s team, $3 their organizers.';

create function app.search_query(record_table text, typed text) returns tsquery
language sql stable parallel safe set search_path = ''
return app.search_query(case record_table when 'crm_documents' then translate(typed, '._-', '   ') else typed end);

create function app.search_likeness(typed text, name text) returns text
language sql stable set search_path = ''
return (
  select string_agg(format('%L operator(public.<%%) %s', word, name), ' and ')
  from regexp_split_to_table(app.fold(typed), '\s+') as word
  where word ~ '[[:alnum:]]' and name is not null and to_regprocedure('public.word_similarity(text, text)') is not null
);
comment on function app.search_likeness is 'The condition that every word is similar to a part of the name; null where no name is compared, or the extension pg_trgm is missing.';

-- Only bitmap scans: PostgreSQL takes every beginning of a word for common (half a per cent of the rows at least), and
-- would rather read ten million rows until it has met five that hold it.
create function app.matches(record_table text, typed text) returns table (record_id uuid, is_similar boolean)
language plpgsql stable security definer set search_path = '' set enable_seqscan = off set enable_indexscan = off
as $$
declare
  place pg_catalog.record;
  query pg_catalog.tsquery := app.search_query(record_table, typed);
  team pg_catalog.uuid[] := app.team();
  own pg_catalog.uuid[] := array(select app.own_organizers());
  likeness pg_catalog.text;
begin
  select * into place from app.searched() as searched where searched.table_name = record_table;
  if query is null or app.viewer_role() is null then
    return;
  end if;
  if app.sees_all() then
    place.theirs := 'true';
  end if;
  return query execute format('select id, false from public.%I where %s @@ $1 and %s', record_table, place.words, place.theirs)
    using query, team, own;
  likeness := app.search_likeness(typed, place.name);
  if not found and likeness is not null then
    perform set_config('pg_trgm.word_similarity_threshold', '0.5', true);
    return query execute format('select id, true from public.%I where %s and %s limit 1000', record_table, likeness, place.theirs)
      using query, team, own;
  end if;
end $$;
comment on function app.matches is 'The records of one table that the viewer may see and that hold all these words, each as it is or as the beginning of a longer one; where none does, at most 1,000 whose names are similar.';

drop function app.search(text, integer);
create function app.search(typed text, tables text[], by_likeness boolean default false, most integer default 5)
returns table (table_name text, record_id uuid, organizer_id uuid, label text)
language plpgsql stable security definer set search_path = '' set enable_seqscan = off set enable_indexscan = off
as $$
declare
  place pg_catalog.record;
  query pg_catalog.tsquery;
  team pg_catalog.uuid[] := app.team();
  own pg_catalog.uuid[] := array(select app.own_organizers());
  result pg_catalog.text;
  late pg_catalog.uuid[];
begin
  for place in select * from app.searched() as searched where searched.table_name = any (tables) loop
    query := app.search_query(place.table_name, typed);
    continue when query is null or app.viewer_role() is null;
    result := format('select %L, id, %s, %s', place.table_name, place.organizer, place.label);
    if app.sees_all() then
      place.theirs := 'true';
    end if;
    if by_likeness then
      place.words := app.search_likeness(typed, place.name);
      continue when place.words is null;
      perform set_config('pg_trgm.word_similarity_threshold', '0.5', true);
      return query execute format('%s from (select * from public.%I where %s and %s limit 200) as found order by public.word_similarity($5, %s) desc, id limit $4',
        result, place.table_name, place.words, place.theirs, place.name) using query, team, own, most, app.fold(typed);
      continue;
    end if;
    -- A word that is common is among the latest rows; the index would first collect all of its hundred thousands.
    if place.has_order then
      execute format('select array_agg(id) from (select id from (select * from public.%I order by %s desc, id desc limit $5) as late where %s @@ $1 and %s limit $4) as found',
        place.table_name, place.latest, place.words, place.theirs)
        into late using query, team, own, most, case when app.sees_all() then 500 else 2000 end;
      if cardinality(late) = most then
        return query execute format('%s from public.%I where id = any ($1) order by %s desc, id', result, place.table_name, place.latest)
          using late;
        continue;
      end if;
    end if;
    return query execute format('%s from (select * from public.%I where %s @@ $1 and %s limit 200) as found order by %s desc nulls last, id limit $4',
      result, place.table_name, place.words, place.theirs, place.latest) using query, team, own, most;
  end loop;
end $$;
comment on function app.search is 'What the viewer may see in these tables that holds all these words, or whose name is similar, at most so many of each: the latest, or the most similar, of some hundred.';

revoke execute on all routines in schema app from public;
grant execute on function app.matches(text, text), app.search(text, text[], boolean, integer) to authenticated;

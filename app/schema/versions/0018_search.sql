-- Search. Under row-level security the planner may not use a text index before the policy has looked at every row, since
-- @@ could tell of hidden rows by an error (0.1 ms became 177 to 335). So the search asks the indexes with the owner's
-- rights, and repeats each table's policy.

create function app.search_query(words text) returns tsquery
language sql stable parallel safe set search_path = ''
return (
  select to_tsquery('simple', string_agg('''' || replace(word, '''', '''''') || ''':*', ' & '))
  from regexp_split_to_table(replace(app.fold(words), '\', ' '), '\s+') as word
  where word ~ '[[:alnum:]]'
);
comment on function app.search_query is 'Every word, in any order, each as it is or as the beginning of a longer one; null without any. No character in it is an operator.';

create function app.search(words text, most integer default 50)
returns table (table_name text, record_id uuid, organizer_id uuid, label text)
language sql stable security definer set search_path = ''
begin atomic
  (select 'crm_organizers', organizer.id, organizer.id, organizer.company_name
  from public.crm_organizers as organizer
  where to_tsvector('simple', app.fold(organizer.company_name)) @@ app.search_query(words)
    and ((select app.sees_all()) or organizer.assigned_to = any ((select app.team())::uuid[]))
  limit most)
  union all
  (select 'crm_contacts', contact.id, contact.organizer_id, contact.full_name
  from public.crm_contacts as contact
  where to_tsvector('simple', app.fold(contact.full_name || ' ' || contact.email || ' ' || coalesce(contact.title, '')))
      @@ app.search_query(words)
    and ((select app.sees_all()) or contact.organizer_id in (select app.own_organizers()))
  limit most)
  union all
  (select 'crm_opportunities', opportunity.id, opportunity.organizer_id, opportunity.name
  from public.crm_opportunities as opportunity
  where to_tsvector('simple', app.fold(opportunity.name || ' ' || coalesce(opportunity.description, '')))
      @@ app.search_query(words)
    and ((select app.sees_all()) or opportunity.assigned_to = any ((select app.team())::uuid[])
      or opportunity.organizer_id in (select app.own_organizers()))
  limit most)
  union all
  (select 'crm_activities', activity.id, activity.organizer_id, activity.subject
  from public.crm_activities as activity
  where to_tsvector('simple', app.fold(activity.subject || ' ' || coalesce(activity.description, '')))
      @@ app.search_query(words)
    and ((select app.sees_all()) or activity.user_id = any ((select app.team())::uuid[])
      or activity.organizer_id in (select app.own_organizers()))
  limit most)
  union all
  (select 'crm_notes', note.id, note.organizer_id, coalesce(note.title, left(note.content, 80))
  from public.crm_notes as note
  where to_tsvector('simple', app.fold(coalesce(note.title, '') || ' ' || note.content)) @@ app.search_query(words)
    and ((select app.sees_all()) or note.organizer_id in (select app.own_organizers()))
  limit most);
end;
comment on function app.search is 'What the viewer may see that holds all these words, at most so many of each table.';
revoke execute on all routines in schema app from public;
grant execute on function app.search(text, integer) to authenticated;

-- A document's file and its row are never one without the other. The file is noted here before it is written, and its row
-- takes the note away; removing the row, however that happens, notes the file in the same transaction. Whoever is killed
-- in between leaves a note, and `eventos files` does what it says.

create table public.crm_file_removals (
  storage_path text primary key,
  keep_until timestamptz not null,
  given_up_at timestamptz,
  removed_at timestamptz,
  check (removed_at is null or given_up_at is not null)
);
comment on table public.crm_file_removals is 'Files that no document has: written before their row, or left by it. Not audited: the audit of the document says it all.';
comment on column public.crm_file_removals.keep_until is 'Until then a document may come and have it: the upload that is under way, or the undo of a removal.';
comment on column public.crm_file_removals.given_up_at is 'From then on no document can have it; the store is told afterwards, as often as it takes.';
comment on column public.crm_file_removals.removed_at is 'When the store had it no more; the line stays, so that nothing comes back without its file.';
create index idx_file_removals_due on public.crm_file_removals (keep_until) where removed_at is null;

create function app.new_file() returns text
language plpgsql security definer set search_path = ''
as $$
declare
  path pg_catalog.text := 'documents/' || gen_random_uuid();
begin
  if app.viewer_role() is null or app.viewer_role() = 'executive' then
    raise insufficient_privilege using message = 'Only those who may add documents add files.';
  end if;
  -- An hour is far longer than an upload takes.
  insert into public.crm_file_removals (storage_path, keep_until) values (path, clock_timestamp() + interval '1 hour');
  return path;
end $$;
comment on function app.new_file is 'Where the viewer may write a file next: a path that nobody chose, noted for removal unless a document has it within the hour.';

create function app.keep_file() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  delete from public.crm_file_removals where storage_path = new.storage_path and given_up_at is null;
  if exists (select from public.crm_file_removals where storage_path = new.storage_path) then
    raise exception using errcode = 'U0001', message = format('The file of "%s" has been removed for good: upload it again.', new.file_name);
  end if;
  return null;
end $$;

create function app.leave_file() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  -- As long as a removal may be undone; nightly backups of the database find their files meanwhile too.
  insert into public.crm_file_removals (storage_path, keep_until)
  values (old.storage_path, clock_timestamp() + interval '30 days')
  on conflict (storage_path) do nothing;
  return null;
end $$;
revoke execute on all routines in schema app from public;
grant execute on function app.new_file() to authenticated;

create trigger keep_file after insert on public.crm_documents for each row execute function app.keep_file();
create trigger leave_file after delete on public.crm_documents for each row execute function app.leave_file();

call app.protect('public.crm_file_removals');
grant select on public.crm_file_removals to authenticated;
create policy file_removals_select on public.crm_file_removals for select to authenticated using ((select app.sees_all()));

-- Somebody chose the wrong one: no reason to upload it again.
grant update (document_type) on public.crm_documents to authenticated;

-- Documents: the row beside the file.

create table public.crm_documents (
  id uuid primary key default gen_random_uuid(),
  organizer_id uuid references public.crm_organizers (id) on delete cascade,
  opportunity_id uuid,
  file_name text not null check (app.is_line(file_name, 255) and file_name !~ '[/\\]'),
  file_type text not null check (app.is_line(file_type, 255)),
  file_size bigint not null check (file_size >= 0),
  storage_path text not null unique check (app.is_line(storage_path, 1000)),
  document_type text check (document_type in ('contract', 'proposal', 'invoice', 'presentation', 'other')),
  version integer not null default 1 check (version >= 1),
  is_signed boolean not null default false,
  signed_at timestamptz check (app.is_moment(signed_at)),
  signed_by uuid references auth.users (id),
  uploaded_by uuid not null default app.actor_id() references auth.users (id),
  created_at timestamptz not null default now() check (app.is_moment(created_at)),
  row_version integer not null default 1,
  check (num_nonnulls(organizer_id, opportunity_id) > 0),
  check (is_signed = (signed_at is not null) and is_signed = (signed_by is not null)),
  foreign key (opportunity_id, organizer_id) references public.crm_opportunities (id, organizer_id)
    on update cascade on delete cascade deferrable
);
comment on table public.crm_documents is 'A file that belongs to an organizer or a deal.';
comment on column public.crm_documents.storage_path is 'Where the file lies in the store; chosen by the app, never taken from the file''s name.';
comment on column public.crm_documents.version is 'Of the document: 1 for the first upload. row_version is the row''s, for optimistic locking.';
create index idx_documents_organizer on public.crm_documents (organizer_id);
create index idx_documents_opportunity on public.crm_documents (opportunity_id);
create index idx_documents_type on public.crm_documents (document_type);
create index idx_documents_signed_by on public.crm_documents (signed_by);
create index idx_documents_uploaded_by on public.crm_documents (uploaded_by);
create unique index idx_documents_one_version on public.crm_documents (organizer_id, file_name, version);

create trigger fill_organizer before insert or update on public.crm_documents
  for each row execute function app.fill_organizer();
call app.track('public.crm_documents', 'id', 'row_version');

call app.protect('public.crm_documents');
grant select, delete,
  insert (id, organizer_id, opportunity_id, file_name, file_type, file_size, storage_path, document_type, version, uploaded_by),
  update (is_signed, signed_at, signed_by)
  on public.crm_documents to authenticated;
create policy documents_select on public.crm_documents for select to authenticated
  using ((select app.sees_all()) or organizer_id in (select app.own_organizers()));
create policy documents_insert on public.crm_documents for insert to authenticated
  with check ((select app.is_admin())
    or uploaded_by = (select app.viewer_id()) and organizer_id in (select app.own_organizers()));
create policy documents_update on public.crm_documents for update to authenticated
  using ((select app.is_admin())
    or uploaded_by = (select app.viewer_id()) and organizer_id in (select app.own_organizers()))
  with check ((select app.is_admin())
    or uploaded_by = (select app.viewer_id()) and organizer_id in (select app.own_organizers()));
create policy documents_delete on public.crm_documents for delete to authenticated
  using ((select app.is_admin()));

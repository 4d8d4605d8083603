-- Pipeline stages, and how they stood at every past moment.

create table public.crm_pipeline_stages (
  id uuid primary key default gen_random_uuid(),
  name text not null check (app.is_line(name, 80)),
  description text check (app.is_text(description, 2000)),
  order_index integer not null,
  color text not null default '#3b82f6' check (color ~ '^#[0-9a-fA-F]{6}$'),
  is_active boolean not null default true,
  is_closed boolean not null default false,
  is_won boolean not null default false,
  auto_actions jsonb not null default '[]' check (app.is_list(auto_actions)),
  default_probability integer not null default 50 check (default_probability between 0 and 100),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  version integer not null default 1,
  check (is_closed or not is_won),
  -- deferrable, so that two stages can change places in one statement
  constraint idx_stages_order unique (order_index) deferrable initially immediate
);
comment on table public.crm_pipeline_stages is 'The steps of a sale in their order; won and lost are stages that are closed.';
comment on column public.crm_pipeline_stages.is_closed is 'won or lost';
comment on column public.crm_pipeline_stages.auto_actions is '[{"action": "send_email", "template": "welcome"}]';
comment on column public.crm_pipeline_stages.default_probability is 'Percent; what an opportunity here forecasts unless it has one of its own.';
create unique index idx_stages_name on public.crm_pipeline_stages (lower(name));
create index idx_stages_auto_actions on public.crm_pipeline_stages using gin (auto_actions jsonb_path_ops);

create table public.crm_stage_history (
  stage_id uuid not null,
  seq integer not null,
  valid_from timestamptz not null,
  valid_to timestamptz,
  name text not null,
  order_index integer not null,
  color text not null,
  is_active boolean not null,
  is_closed boolean not null,
  is_won boolean not null,
  default_probability integer not null,
  is_deleted boolean not null default false,
  changed_by uuid,
  primary key (stage_id, seq),
  check (valid_to > valid_from)
);
comment on table public.crm_stage_history is 'A stage as it stood from valid_from until before valid_to; the version without valid_to holds now. Outlives the stage.';
create unique index idx_stage_history_now on public.crm_stage_history (stage_id) where valid_to is null;

create function app.keep_stage_history() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  stage public.crm_pipeline_stages := case when tg_op = 'DELETE' then old else new end;
  latest public.crm_stage_history;
  moment pg_catalog.timestamptz := app.effective_time();
begin
  if tg_op = 'UPDATE' and
    (new.name, new.order_index, new.color, new.is_active, new.is_closed, new.is_won, new.default_probability) is not distinct from
    (old.name, old.order_index, old.color, old.is_active, old.is_closed, old.is_won, old.default_probability) then
    return null;
  end if;
  select * into latest from public.crm_stage_history as version where version.stage_id = stage.id and version.valid_to is null;
  if latest.valid_from >= moment then  -- changed twice at one moment: only the later state is history
    delete from public.crm_stage_history where stage_id = stage.id and seq = latest.seq;
    latest.seq := latest.seq - 1;
    moment := latest.valid_from;
  else
    update public.crm_stage_history set valid_to = moment where stage_id = stage.id and seq = latest.seq;
  end if;
  insert into public.crm_stage_history (stage_id, seq, valid_from, name, order_index, color, is_active, is_closed, is_won,
    default_probability, is_deleted, changed_by)
  values (stage.id, coalesce(latest.seq, 0) + 1, moment, stage.name, stage.order_index, stage.color, stage.is_active,
    stage.is_closed, stage.is_won, stage.default_probability, tg_op = 'DELETE', app.actor_id());
  return null;
end $$;
revoke execute on all routines in schema app from public;
create trigger keep_history after insert or update or delete on public.crm_pipeline_stages
  for each row execute function app.keep_stage_history();

-- The document leaves Won and Lost open; a win rate of 0 % and closed deals in the open pipeline would follow.
insert into public.crm_pipeline_stages (name, order_index, default_probability, color, is_closed, is_won) values
  ('Lead', 1, 10, '#6b7280', false, false),
  ('Qualified', 2, 25, '#3b82f6', false, false),
  ('Proposal', 3, 50, '#8b5cf6', false, false),
  ('Negotiation', 4, 75, '#f59e0b', false, false),
  ('Won', 5, 100, '#10b981', true, true),
  ('Lost', 6, 0, '#ef4444', true, false);

create trigger update_stages_updated_at before update on public.crm_pipeline_stages
  for each row execute function public.update_updated_at_column();
call app.track('public.crm_pipeline_stages');

call app.protect('public.crm_pipeline_stages');
grant select, delete,
  insert (id, name, description, order_index, color, is_active, is_closed, is_won, auto_actions, default_probability),
  update (name, description, order_index, color, is_active, is_closed, is_won, auto_actions, default_probability)
  on public.crm_pipeline_stages to authenticated;
create policy stages_select on public.crm_pipeline_stages for select to authenticated
  using ((select app.viewer_role()) is not null);
create policy stages_insert on public.crm_pipeline_stages for insert to authenticated
  with check ((select app.is_admin()));
create policy stages_update on public.crm_pipeline_stages for update to authenticated
  using ((select app.is_admin())) with check ((select app.is_admin()));
create policy stages_delete on public.crm_pipeline_stages for delete to authenticated
  using ((select app.is_admin()));

call app.protect('public.crm_stage_history');
grant select on public.crm_stage_history to authenticated;
create policy stage_history_select on public.crm_stage_history for select to authenticated
  using ((select app.viewer_role()) is not null);

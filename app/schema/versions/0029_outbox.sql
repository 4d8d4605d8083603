-- Emails that stages send by themselves: rendered in the transaction in which an opportunity enters the stage, delivered
-- later by `eventos deliver`. A template's places are filled in and nothing else: no language, so nothing to break out of.

alter table public.crm_settings add column automatic_actions boolean not null default false;
comment on column public.crm_settings.automatic_actions is 'Whether entering a stage sets off what the stage says. Off until an admin turns it on.';
grant update (automatic_actions) on public.crm_settings to authenticated;

create table public.crm_outbox (
  id uuid primary key default gen_random_uuid(),
  organizer_id uuid not null references public.crm_organizers (id) on delete cascade,
  opportunity_id uuid,
  contact_id uuid,
  stage_id uuid not null,  -- no foreign key: a sent email outlives its stage and its template
  template_id uuid,
  template_name text not null,
  recipient text check (app.is_email(recipient)),
  subject text not null default '' check (app.is_text(subject, 2000)),
  body_text text not null default '' check (app.is_text(body_text, 1000000)),
  body_html text not null default '' check (app.is_text(body_html, 1000000)),
  status text not null default 'waiting' check (status in ('waiting', 'sending', 'sent', 'failed', 'unknown', 'cancelled')),
  problem text check (app.is_text(problem, 2000)),
  attempts integer not null default 0 check (attempts >= 0),
  next_attempt_at timestamptz not null default now() check (app.is_moment(next_attempt_at)),
  created_by uuid default app.actor_id() references auth.users (id),
  queued_at timestamptz not null default now() check (app.is_moment(queued_at)),
  sent_at timestamptz,
  updated_at timestamptz not null default now(),
  version integer not null default 1,
  check ((status = 'sent') = (sent_at is not null)),
  check (status not in ('failed', 'unknown') or problem is not null),
  check (status not in ('waiting', 'sending') or recipient is not null),
  foreign key (contact_id, organizer_id) references public.crm_contacts (id, organizer_id)
    on update cascade on delete set null (contact_id) deferrable,
  foreign key (opportunity_id, organizer_id) references public.crm_opportunities (id, organizer_id)
    on update cascade on delete set null (opportunity_id) deferrable
);
comment on table public.crm_outbox is 'Emails that automatic actions have written, each sent at most once.';
comment on column public.crm_outbox.status is 'waiting: for `eventos deliver`; sending: it is at work on it; failed: see problem, may be retried; unknown: it was interrupted while handing it over; cancelled: will not be sent.';
comment on column public.crm_outbox.problem is 'In words, for people: why it was not sent.';
create index idx_outbox_organizer on public.crm_outbox (organizer_id);
create index idx_outbox_opportunity on public.crm_outbox (opportunity_id);
create index idx_outbox_contact on public.crm_outbox (contact_id);
create index idx_outbox_created_by on public.crm_outbox (created_by);
create index idx_outbox_queued_at on public.crm_outbox (queued_at desc);
create index idx_outbox_due on public.crm_outbox (next_attempt_at) where status in ('waiting', 'sending');

-- What can be filled in ---------------------------------------------------------------------------------------

create function app.recipient_of(organizer uuid) returns uuid
language sql stable set search_path = ''
begin atomic
  select contact.id from public.crm_contacts as contact
  where contact.organizer_id = organizer
  order by contact.is_primary desc, contact.is_decision_maker desc, contact.last_contact_date desc nulls last, contact.id
  limit 1;
end;
comment on function app.recipient_of is 'Whom an organizer is written to: the primary contact, else who decides, else whom we spoke to last.';

-- plpgsql, because it asks a view, and views are made anew at every migration.
create function app.template_details(organizer uuid, opportunity uuid) returns jsonb
language plpgsql stable set search_path = ''
as $$
begin
  return (
    select jsonb_strip_nulls(jsonb_build_object(
      'company_name', company.company_name,
      'contact_name', contact.full_name,
      'opportunity_name', deal.name,
      'stage_name', stage.name,
      'expected_close', to_char(deal.expected_close_date, 'FMDD FMMonth YYYY'),
      'value', deal.currency || ' ' || to_char(deal.value, 'FM999,999,999,999,999,990.00'),
      'event_name', happening.name,
      'event_date', to_char(happening.event_date, 'FMDD FMMonth YYYY'),
      'owner_name', person.full_name,
      'organisation_name', settings.organisation_name))
    from public.crm_organizers as company
    cross join public.crm_settings as settings
    left join public.crm_opportunities as deal on deal.id = opportunity and deal.organizer_id = company.id
    left join public.crm_pipeline_stages as stage on stage.id = deal.stage_id
    left join public.crm_profiles as person on person.user_id = coalesce(deal.assigned_to, company.assigned_to)
    left join public.crm_contacts as contact on contact.id = app.recipient_of(company.id)
    left join lateral (
      -- the opportunity's own, else the next one
      select event.name, event.event_date
      from analytics.known_events as event
      where event.organizer_id = company.id and (event.event_id = deal.event_id or event.event_date >= app.today())
      order by event.event_id = deal.event_id desc nulls last, event.event_date, event.event_id
      limit 1
    ) as happening on true
    where company.id = organizer);
end $$;
comment on function app.template_details is 'What a template''s places are filled with for an organizer, and for one of its opportunities if one is given; what is not known is left out. As the caller sees it.';

create function app.template_places(template text) returns setof text
language sql immutable parallel safe set search_path = ''
begin atomic
  select distinct lower(place[1]) from regexp_matches(template, '\{\{\s*([^{}]*?)\s*\}\}', 'g') as place;
end;
comment on function app.template_places is 'The names that stand in a template as {{name}}.';

create function app.filled_in(template text, details jsonb, for_html boolean) returns text
language sql immutable parallel safe set search_path = ''
begin atomic
  -- Once through, from left to right: what was filled in is not looked at again.
  select coalesce(string_agg(
    part[1] || coalesce(
      case when for_html then
        replace(replace(replace(replace(replace(details ->> lower(part[3]), '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;')
      else details ->> lower(part[3]) end,
      part[2], ''), '' order by place), '')
  from regexp_matches(template, '(.*?)(\{\{\s*([^{}]*?)\s*\}\}|$)', 'g') with ordinality as found (part, place);
end;
comment on function app.filled_in is 'The template with its places filled in; in HTML, what is filled in is text and no markup. A place without a detail stays as it is.';

-- Writing an email, and trying again ---------------------------------------------------------------------------

create function app.render_letter(letter public.crm_outbox) returns public.crm_outbox
language plpgsql stable security definer set search_path = ''
as $$
declare
  template public.crm_email_templates;
  details pg_catalog.jsonb := app.template_details(letter.organizer_id, letter.opportunity_id);
  missing pg_catalog.text;
begin
  select * into template from public.crm_email_templates where lower(name) = lower(letter.template_name) and is_active
  order by created_at desc limit 1;
  letter.template_id := template.id;
  letter.contact_id := app.recipient_of(letter.organizer_id);
  letter.recipient := (select email from public.crm_contacts where id = letter.contact_id);
  select string_agg(place, ', ' order by place) into missing
  from app.template_places(concat_ws(' ', template.subject, template.body_text, template.body_html)) as place
  where not details ? place;
  letter.subject := app.filled_in(coalesce(template.subject, ''), details, false);
  letter.body_text := app.filled_in(coalesce(template.body_text, ''), details, false);
  letter.body_html := app.filled_in(coalesce(template.body_html, ''), details, true);
  letter.problem := case
    when template.id is null then format('There is no active template called %s.', letter.template_name)
    when letter.recipient is null then 'The organizer has no contact to write to.'
    when missing is not null then format('Nothing is known for: %s.', missing)
  end;
  letter.status := case when letter.problem is null then 'waiting' else 'failed' end;
  return letter;
end $$;

create function app.act_on_entry() returns trigger
language plpgsql security definer set search_path = ''
as $$
declare
  action pg_catalog.jsonb;
  letter public.crm_outbox;
begin
  if app.actor_id() is null or not (select automatic_actions from public.crm_settings) then
    return null;  -- imports and demos move opportunities that were moved long ago
  end if;
  for action in select value from public.crm_pipeline_stages as stage, jsonb_array_elements(stage.auto_actions)
    where stage.id = new.stage_id
  loop
    if action ->> 'action' = 'send_email' then
      letter := null;
      letter.organizer_id := new.organizer_id;
      letter.opportunity_id := new.id;
      letter.template_name := coalesce(action ->> 'template', '');
      letter := app.render_letter(letter);
      insert into public.crm_outbox (organizer_id, opportunity_id, contact_id, stage_id, template_id, template_name, recipient,
        subject, body_text, body_html, status, problem)
      values (letter.organizer_id, letter.opportunity_id, letter.contact_id, new.stage_id, letter.template_id,
        letter.template_name, letter.recipient, letter.subject, letter.body_text, letter.body_html, letter.status, letter.problem);
    elsif action ->> 'action' = 'create_task' then
      insert into public.crm_activities (organizer_id, opportunity_id, type, is_task, task_status, subject, user_id,
        activity_date, due_date)
      select new.organizer_id, new.id, 'task', true, 'pending', left(action ->> 'subject', 300),
        coalesce((select user_id from public.crm_profiles where user_id = new.assigned_to and is_active), app.actor_id()), due, due
      from (select clock_timestamp() + make_interval(days => coalesce((action ->> 'days')::pg_catalog.int4, 0)) as due) as planned;
    end if;
  end loop;
  return null;
end $$;
comment on function app.act_on_entry is 'Does what the stage says when an opportunity enters it: in the same transaction, so that one is not without the other.';
-- An undo brings back what was; nobody enters anything.
create trigger act_on_entry_new after insert on public.crm_opportunities
  for each row when (coalesce(current_setting('eventos.undoing', true), '') = '' or not app.runs_as_owner())
  execute function app.act_on_entry();
create trigger act_on_entry after update of stage_id on public.crm_opportunities
  for each row when (new.stage_id <> old.stage_id
    and (coalesce(current_setting('eventos.undoing', true), '') = '' or not app.runs_as_owner()))
  execute function app.act_on_entry();

create function app.take_back_letters() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
  update public.crm_outbox set status = 'cancelled', problem = 'The move that wrote it was undone.'
  where opportunity_id = new.id and stage_id = old.stage_id and status in ('waiting', 'failed');
  return null;
end $$;
create trigger take_back_letters after update of stage_id on public.crm_opportunities
  for each row when (new.stage_id <> old.stage_id and coalesce(current_setting('eventos.undoing', true), '') <> '' and app.runs_as_owner())
  execute function app.take_back_letters();

create function app.retry_letter(letter uuid) returns text
language plpgsql security definer set search_path = ''
as $$
declare
  again public.crm_outbox;
begin
  if not app.is_admin() then
    raise insufficient_privilege using message = 'Only an admin sends an email again.';
  end if;
  select * into again from public.crm_outbox where id = letter and status in ('failed', 'unknown', 'cancelled') for update;
  if not found then
    return null;
  end if;
  again := app.render_letter(again);
  update public.crm_outbox
  set (template_id, contact_id, recipient, subject, body_text, body_html, status, problem, attempts, next_attempt_at)
    = (again.template_id, again.contact_id, again.recipient, again.subject, again.body_text, again.body_html, again.status,
      again.problem, 0, clock_timestamp())
  where id = letter;
  return again.status;
end $$;
comment on function app.retry_letter is 'Renders an email anew, from what is known now, and lets it wait for the next delivery; returns its status, or null where there is nothing to try again.';

revoke execute on all routines in schema app from public;
grant execute on function app.recipient_of(uuid), app.template_details(uuid, uuid), app.template_places(text),
  app.filled_in(text, jsonb, boolean), app.retry_letter(uuid) to authenticated;

create trigger update_outbox_updated_at before update on public.crm_outbox
  for each row execute function public.update_updated_at_column();
call app.track('public.crm_outbox');

call app.protect('public.crm_outbox');
grant select, update (status, problem) on public.crm_outbox to authenticated;
create policy outbox_select on public.crm_outbox for select to authenticated
  using ((select app.sees_all())
    or (select app.viewer_role()) = 'manager' and organizer_id in (select app.own_organizers()));
create policy outbox_update on public.crm_outbox for update to authenticated
  using ((select app.is_admin())) with check ((select app.is_admin()) and status = 'cancelled');

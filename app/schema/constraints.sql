-- The constraints of our tables with the columns they hold and the sentence for people in their comment, if any:
-- how the doors say in words what the database refused.

select rule.conname as name, obj_description(rule.oid, 'pg_constraint') as sentence,
  array(select attname::text from pg_attribute where attrelid = rule.conrelid and attnum = any (rule.conkey)) as columns
from pg_constraint as rule
where rule.connamespace = 'public'::regnamespace
union all
select index.relname, obj_description(index.oid, 'pg_class'),
  array(select attname::text from pg_attribute where attrelid = made.indrelid and attnum = any (made.indkey))
from pg_index as made
join pg_class as index on index.oid = made.indexrelid
where index.relnamespace = 'public'::regnamespace and made.indisunique
  and not exists (select from pg_constraint where conindid = index.oid)

"""Where the schema departs from the customer's document, and why: the README's table, held against both by test_document.py.

`python -m tests.schema.departures` prints the table.
"""

# ruff: noqa: E501 (tables are read across)

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Departure:
    """What the document has, what is here instead, and why; as facts of the catalogue: patterns of those gone and new."""

    written: str
    here: str
    because: str
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()


DEPARTURES = [
    Departure(
        "a trigger on every update of an organizer computes its engagement from the rows that its editor may see",
        "kept by `crm_activities`' triggers with the owner's rights, over what has happened, within 0 and 100",
        "a future activity made the score 128 and the organizer uneditable; an edit changed the score to what its editor saw",
        gone=(r"crm_organizers: trigger update_organizer_engagement", r"function calculate_organizer_engagement\(\)"),
        new=(r"crm_activities: trigger engage_(insert|update|delete)", r"crm_activities: index idx_activities_happened .*"),
    ),
    Departure(
        "what was done is counted from the activities at every look",
        "triggers keep counts per quarter of an hour, type and person, exact in every transaction; an index holds what has happened",
        "over ten million activities a heatmap took seconds",
        new=(r"crm_activities: trigger count_(insert|update|delete)", r"crm_organizers: trigger (hand_over|leave)_counts",
             r"crm_activities: index idx_activities_(happened_at|completed) .*"),
    ),
    Departure(
        "`expected_revenue` is a generated column and also assigned by a trigger",
        "the generated column alone",
        "a trigger cannot assign a generated column: it did nothing",
        gone=(r"crm_opportunities: trigger calculate_opportunity_revenue", r"function update_opportunity_revenue\(\)"),
    ),
    Departure(
        "`probability` defaults to 50, whatever the stage",
        "null on insert means the stage's; its source (stage, manual, import, model), who, when and why are stored",
        "a lost deal still forecast half its value, and nobody could tell an opinion from a default",
        gone=(r"crm_opportunities\.probability is by default 50",),
        new=(r"crm_opportunities\.probability_.*", r"crm_opportunities: .*probability_s.*", r"crm_opportunities: CHECK \(app.is_text\(probability_reason.*"),
    ),
    Departure(
        "`status`, stage, closing date and probability are independent; Won and Lost are not marked as closed",
        "entering a closed stage sets the others, reopening takes them back, contradictions are refused; the flags are set",
        "the win rate was 0 %, and a deal could be won in stage Lost",
        new=(r"crm_opportunities: trigger settle", r"crm_pipeline_stages: trigger keep_honest",
             r"crm_opportunities: CHECK .*'open'.*actual_close_date.*", r"crm_pipeline_stages: CHECK \(\(is_closed OR \(NOT is_won\)\)\)"),
    ),
    Departure(
        "amounts are `numeric(12, 2)`",
        "`numeric(18, 2)`",
        "a deal of ten billion yen did not fit",
        gone=(r".*(value|expected_revenue|total_revenue) is numeric\(12,2\)",),
        new=(r".*(value|expected_revenue|total_revenue) is numeric\(18,2\)",),
    ),
    Departure(
        "`last_activity_at` of a new organizer is its creation",
        "null until something has happened, then kept by trigger",
        "an organizer nobody ever spoke to looked like one spoken to",
        gone=(r"crm_organizers\.last_activity_at is by default now\(\)",),
    ),
    Departure(
        "removing an organizer removes its opportunities",
        "an organizer with opportunities is archived, not removed",
        "won deals would vanish from every report",
        gone=(r"crm_opportunities: FOREIGN KEY \(organizer_id\) .* ON DELETE CASCADE",),
        new=(r"crm_opportunities: FOREIGN KEY \(organizer_id\) .* ON DELETE RESTRICT",),
    ),
    Departure(
        "removing a contact removes its activities and notes; a contact of one organizer can stand on another's activity",
        "they stay, without the contact; contact, opportunity and organizer must belong together, and one of them must be there",
        "colleagues lost their history past their own rights; an activity counted for two companies, or for none",
        gone=(r"crm_(activities|notes|documents): FOREIGN KEY \((contact|opportunity)_id\) .* ON DELETE CASCADE",),
        new=(r"crm_(activities|notes|documents): FOREIGN KEY \((contact|opportunity)_id, organizer_id\) .*",
             r"crm_(contacts|opportunities): UNIQUE \(id, organizer_id\)", r".*num_nonnulls.*", r".*: trigger fill_organizer"),
    ),
    Departure(
        "policies for the assigned person and for admins, none for notes, documents and templates",
        "one policy a table and verb, for reps, managers with their subtree, executives and admins; grants by verb and column",
        "managers and executives saw nothing; children could be put under anybody's organizer; GRANT ALL gave TRUNCATE and TRIGGER",
        gone=(r".*: policy [A-Z].*",),
        new=(r".*: policy [a-z_]+", r"crm_.*\.(created_by|user_id|uploaded_by) is by default app\.actor_id\(\)"),
    ),
    Departure(
        "the order of stages is a plain unique index",
        "a deferrable constraint of the same name; stage names are unique without case",
        "two stages could not change places; two stages called Won were possible",
        gone=(r"crm_pipeline_stages: index idx_stages_order .*",),
        new=(r"crm_pipeline_stages: UNIQUE \(order_index\) DEFERRABLE", r"crm_pipeline_stages: index idx_stages_name .*"),
    ),
    Departure(
        "full-text search in English, on company names and notes",
        "without a language and without accents where `unaccent` is there; also on contacts, opportunities, activities, "
        "documents and templates; names with a slip where `pg_trgm` is there; the orders in which lists begin",
        "'evenements' did not find 'Événements', and English stems are wrong for names",
        gone=(r".*'english'.*",),
        new=(r".*'simple'.*", r"crm_\w+: index idx_\w+_similar .*", r"crm_\w+: index idx_\w+_(by_name|by_date|created) .*"),
    ),
    Departure(
        "columns with a default may be null",
        "they may not",
        "a null probability made a null revenue, and a null status left the deal out of both parts of a filter",
        new=(r".* is not null",),
    ),
    Departure(
        "any text, number, date and JSON",
        "lines without control characters and of bounded length, addresses and zones that are some, finite amounts from 0, "
        "years 1900 to 2200, objects and lists where they are meant",
        "one NaN or infinite date breaks every total or the driver; `javascript:` in a link runs in the reader's browser",
        new=(r".*: CHECK \(\(?app\.is_.*", r".*: CHECK \(\((annual_events|file_size|duration_minutes|version) >=.*",
             r".*: CHECK \(\(\(duration_minutes .*", r"crm_contacts: CHECK \(\(language .*", r"crm_pipeline_stages: CHECK \(\(color .*"),
    ),
    Departure(
        "`is_task`, `type` and `task_status` are independent",
        "they agree; when a task was completed is kept",
        "the list of overdue tasks was wrong",
        new=(r"crm_activities: CHECK .*is_task.*", r"crm_activities.* ?.*completed_at.*", r"crm_activities: trigger settle_task"),
    ),
    Departure(
        "the same email twice, the same document and version twice, signed without a signer",
        "unique for an organizer; signed means when and by whom; a place in the store belongs to one document",
        "duplicates, and nobody could say which contract was signed",
        new=(r"crm_contacts: index idx_contacts_one_email .*", r"crm_documents: index idx_documents_one_version .*",
             r"crm_documents: UNIQUE \(storage_path\)", r"crm_documents: CHECK \(\(\(is_signed = .*"),
    ),
    Departure(
        "a document's row says where a file should be",
        "a file is noted before it is written and when its row is removed; removed files are kept for 30 days",
        "files stayed behind for ever, and rows without a file",
        new=(r"crm_documents: trigger (keep|leave)_file",),
    ),
    Departure(
        "stages have `auto_actions`, and nothing acts on them",
        "entering a stage writes its emails into an outbox and its tasks, once an admin turns that on",
        "a setting that does nothing is a promise that is broken",
        new=(r"crm_opportunities: trigger (act_on_entry(_new)?|take_back_letters)",),
    ),
    Departure(
        "four tables have `updated_at` without a trigger; changes leave no trace and the last writer wins",
        "triggers keep `updated_at`, a `version` for optimistic locking, an audit, the history of opportunities and stages, "
        "and tell open pages; `scored_at` says whether a score is a finding or a default",
        "ages were fiction, edits were lost, and nobody could say who changed what",
        new=(r".*: trigger (update_(activities|notes|stages|templates)_updated_at|version|write_audit|announce|keep_history)",
             r".*\.(row_)?version is (integer|by default 1)", r".*\.scored_at is .*"),
    ),
    Departure(
        "'All foreign keys have indexes', 'GIN indexes for JSONB and array columns'",
        "they have, and there are",
        "six foreign keys had none, and no JSONB or array column had one",
        new=(r".*: index idx_\w+_(event|created_by|signed_by|uploaded_by|probability_set_by) USING btree \(\w+\)",
             r".*: index idx_\w+ USING gin \(\w+( jsonb_path_ops)?\)"),
    ),
    Departure(
        "an index holds the column that it finds rows by",
        "those of the pages' questions hold what is added up and what the policies ask, too",
        "a policy reads every row that its index does not answer for: ten times as long",
        new=(r"crm_activities: index idx_activities_(done_by|pending) .*", r"crm_contacts: index idx_contacts_(reach|timezone) .*",
             r"crm_organizers: index idx_organizers_accounts .*"),
    ),
    Departure(
        "an event history is taken apart whenever somebody asks what is wrong with it",
        "that is counted when it is written, in a generated column",
        "twenty thousand histories took a third of a second of every list of problems",
        new=(r"crm_organizers\.event_tally is .*",),
    ),
]  # fmt: skip


def markdown() -> str:
    """The departures as a table for the README."""
    rows = [("In the document", "Here", "Because"), ("---",) * 3]
    rows += [(departure.written, departure.here, departure.because) for departure in DEPARTURES]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    sys.stdout.write(markdown() + "\n")

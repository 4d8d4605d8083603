"""What people do with events of organizers; what each verb raises: see app.commands.records."""

from functools import partial

from app.commands import records
from app.fields import EVENT

create = partial(records.create, EVENT)
edit = partial(records.edit, EVENT)
edit_many = partial(records.edit_many, EVENT)
delete = partial(records.delete, EVENT)

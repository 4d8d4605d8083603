from collections.abc import Callable
from contextlib import AbstractContextManager
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection

from app.commands import saved_views
from app.errors import Invalid, NotFound, Refused
from app.viewer import Viewer
from queries.saved_views import saved_views as views_of

Reading = Callable[..., AbstractContextManager[Connection]]
ViewerOf = Callable[..., Viewer]
PAGE = "pipeline"


def names(reading_as: Reading, who: str, viewer: ViewerOf, page: str = PAGE) -> dict[str, tuple[str, bool]]:
    with reading_as(who) as db:
        frame = views_of(db, viewer(who).id, page)
    return {view.name: (view.query, view.is_default) for view in frame.itertuples()}


def id_of(reading_as: Reading, viewer: ViewerOf, who: str, name: str) -> UUID:
    with reading_as(who) as db:
        frame = views_of(db, viewer(who).id, PAGE)
    return UUID(frame.set_index("name").loc[name, "view_id"])


def test_a_view_is_its_owner_s_alone(viewer: ViewerOf, reading_as: Reading) -> None:
    saved_views.save(by=viewer("rita"), page=PAGE, name="Mine", query="period=month")
    assert names(reading_as, "rita", viewer) == {"Mine": ("period=month", False)}
    for other in ("max", "ada"):
        assert names(reading_as, other, viewer) == {}
        with reading_as(other) as db:
            assert views_of(db, viewer("rita").id, PAGE).empty


def test_the_same_name_again_gets_the_new_scope(viewer: ViewerOf, reading_as: Reading) -> None:
    saved_views.save(by=viewer("rita"), page=PAGE, name="Mine", query="period=month")
    saved_views.save(by=viewer("rita"), page=PAGE, name="MINE", query="period=year")
    assert names(reading_as, "rita", viewer) == {"MINE": ("period=year", False)}
    saved_views.save(by=viewer("rita"), page="health", name="Mine", query="")
    assert names(reading_as, "rita", viewer, "health") == {"Mine": ("", False)}


def test_one_view_of_a_page_is_the_default(viewer: ViewerOf, reading_as: Reading) -> None:
    rita = viewer("rita")
    for name in ("A", "B"):
        saved_views.save(by=rita, page=PAGE, name=name, query="")
        saved_views.make_default(by=rita, page=PAGE, view_id=id_of(reading_as, viewer, "rita", name))
    assert names(reading_as, "rita", viewer) == {"A": ("", False), "B": ("", True)}
    saved_views.make_default(by=rita, page=PAGE, view_id=None)
    assert names(reading_as, "rita", viewer) == {"A": ("", False), "B": ("", False)}


def test_a_view_is_renamed_and_deleted(viewer: ViewerOf, reading_as: Reading) -> None:
    rita = viewer("rita")
    saved_views.save(by=rita, page=PAGE, name="A", query="period=month")
    view_id = id_of(reading_as, viewer, "rita", "A")
    saved_views.rename(by=rita, view_id=view_id, name="B")
    assert names(reading_as, "rita", viewer) == {"B": ("period=month", False)}
    saved_views.delete(by=rita, view_id=view_id)
    assert names(reading_as, "rita", viewer) == {}


def test_another_person_s_view_is_as_gone_as_a_missing_one(viewer: ViewerOf, reading_as: Reading) -> None:
    saved_views.save(by=viewer("rita"), page=PAGE, name="A", query="")
    hers = id_of(reading_as, viewer, "rita", "A")
    for view_id in (hers, uuid4()):
        for change in (
            lambda view_id=view_id: saved_views.rename(by=viewer("max"), view_id=view_id, name="B"),
            lambda view_id=view_id: saved_views.delete(by=viewer("max"), view_id=view_id),
            lambda view_id=view_id: saved_views.make_default(by=viewer("max"), page=PAGE, view_id=view_id),
        ):
            with pytest.raises(NotFound, match="This view is gone"):
                change()
    assert names(reading_as, "rita", viewer) == {"A": ("", False)}


def test_a_default_that_fails_leaves_the_old_one(viewer: ViewerOf, reading_as: Reading) -> None:
    rita = viewer("rita")
    saved_views.save(by=rita, page=PAGE, name="A", query="")
    saved_views.make_default(by=rita, page=PAGE, view_id=id_of(reading_as, viewer, "rita", "A"))
    with pytest.raises(NotFound):
        saved_views.make_default(by=rita, page=PAGE, view_id=uuid4())
    assert names(reading_as, "rita", viewer) == {"A": ("", True)}


@pytest.mark.parametrize("name", ["", "x" * 81, "two\nlines", "a\x00b", "\ud800"])
def test_a_name_that_is_none_is_refused(viewer: ViewerOf, reading_as: Reading, name: str) -> None:
    with pytest.raises(Invalid):
        saved_views.save(by=viewer("rita"), page=PAGE, name=name, query="")
    assert names(reading_as, "rita", viewer) == {}


def test_a_name_that_is_taken_is_refused(viewer: ViewerOf, reading_as: Reading) -> None:
    rita = viewer("rita")
    for name in ("A", "B"):
        saved_views.save(by=rita, page=PAGE, name=name, query="")
    with pytest.raises(Refused, match="already"):
        saved_views.rename(by=rita, view_id=id_of(reading_as, viewer, "rita", "B"), name="a")


def test_a_leaver_saves_nothing(viewer: ViewerOf, owner: Connection) -> None:
    rita = viewer("rita")
    owner.exec_driver_sql("update crm_profiles set is_active = false where user_id = %s", (rita.id,))
    with pytest.raises(Refused):
        saved_views.save(by=rita, page=PAGE, name="A", query="")

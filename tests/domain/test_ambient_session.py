import pytest

from domain.ambient_session import (
    AmbientSessionNotFound,
    AmbientSessionOfAnother,
    AnnounceSession,
    CorruptSession,
    EndSession,
    decide_session,
    fold_session,
    session_id,
)
from domain.events import AmbientSessionEnded, AmbientSessionOpened, AmbientSessionUpdated
from domain.identity import recording_id
from tests.domain.histories import START, at, session_ended, session_opened, session_updated

FACTS = session_opened().model_dump(exclude={"at"})


def announce(**changes):
    return AnnounceSession(at=at(5), **(FACTS | changes))


def test_a_first_announcement_opens_the_session():
    assert decide_session(None, announce()) == [AmbientSessionOpened(at=at(5), **FACTS)]


def test_the_same_announcement_again_changes_nothing():
    assert decide_session(fold_session([session_opened()]), announce()) == []


@pytest.mark.parametrize(
    "change", [{"external_user_id": "dr-2"}, {"ehr_instance_id": None}, {"product_id": "p"}, {"details_key": "other"}]
)
def test_an_announcement_with_other_facts_is_an_update_and_repeating_it_is_none(change):
    session = fold_session([session_opened()])
    (event,) = decide_session(session, announce(**change))
    assert type(event) is AmbientSessionUpdated
    updated = fold_session([session_opened(), event])
    assert {name: getattr(updated, name) for name in FACTS} == FACTS | change
    assert decide_session(updated, announce(**change)) == []


def test_a_session_belongs_to_the_partner_that_opened_it():
    for history in ([session_opened()], [session_opened(), session_ended()]):
        with pytest.raises(AmbientSessionOfAnother, match=r"^An ambient session of this correlationId belongs to"):
            decide_session(fold_session(history), announce(partner_id="another"))


def test_a_session_ends_once():
    session = fold_session([session_opened(), session_updated()])
    assert decide_session(session, EndSession(at=at(6))) == [AmbientSessionEnded(at=at(6))]
    assert decide_session(fold_session([session_opened(), session_ended()]), EndSession(at=at(7))) == []


def test_what_was_never_opened_cannot_end():
    with pytest.raises(AmbientSessionNotFound, match=r"^There is no ambient session for this correlationId\.$"):
        decide_session(None, EndSession(at=START))


def test_an_ended_session_that_is_announced_is_open_again():
    session = fold_session([session_opened(), session_ended()])
    assert session.has_ended
    (event,) = decide_session(session, announce())
    again = fold_session([session_opened(), session_ended(), event])
    assert (again.has_ended, again.first_opened_at) == (False, session_opened().at)


@pytest.mark.parametrize("first", [session_updated(), session_ended()])
def test_a_history_that_does_not_begin_with_opening_is_corrupt(first):
    with pytest.raises(CorruptSession, match=rf"^{type(first).__name__} cannot be the first event"):
        fold_session([first])


def test_a_session_never_has_the_id_of_a_recording():
    assert session_id("dragon", "proj_1", "a") != recording_id("dragon", "proj_1", "a")


def test_each_name_of_each_tenant_is_another_session():
    named = session_id("dragon", "proj_1", "a")
    assert named == session_id("dragon", "proj_1", "a")
    others = {
        session_id("other", "proj_1", "a"),
        session_id("dragon", "proj_2", "a"),
        session_id("dragon", "proj_1", "b"),
    }
    assert len(others | {named}) == 4

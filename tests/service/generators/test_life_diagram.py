from domain.events import RECORDING_EVENT_TYPES
from domain.recording import Phase
from service.generators.life_diagram import BEGIN, END, GUIDE, diagram, redrawn


def test_the_domains_guide_shows_a_recordings_life_as_the_code_has_it():
    text = GUIDE.read_text()
    assert diagram() in text
    assert redrawn(text) == text, "run make schemas"


def test_every_phase_and_every_event_is_in_the_drawing():
    drawn = diagram()
    for phase in set(Phase) - {Phase.UNOPENED}:
        assert f"--> {phase}: " in drawn
    for event in RECORDING_EVENT_TYPES:
        assert f": {event}\n" in drawn
    assert drawn.count(": RecordingDeleted\n") == 1


def test_what_stands_around_the_drawing_is_kept():
    assert redrawn(f"before\n{BEGIN}an older drawing\n{END}after\n") == f"before\n{BEGIN}{diagram()}{END}after\n"

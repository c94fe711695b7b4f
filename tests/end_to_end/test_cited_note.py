"""A note by a language model that invents: the client never reads what it invented, and the log knows its share."""

from uuid import UUID

import pytest

from adapters.event_log.log import EventLog
from adapters.event_log.opening import open_log
from domain.events import NoteWritten
from tests.adapters.notes.endpoint import CITED_AND_INVENTED, INVENTED, SECTIONS, chat_endpoint, completion, stream
from tests.end_to_end.dorsum_client import Dorsum, sections_of
from tests.end_to_end.service_process import ServiceProcess

SPEECH = [1, -1] * 8_000


@pytest.mark.slow
async def test_an_invented_statement_is_not_shown_and_the_event_has_the_share_of_such(tmp_path):
    async with chat_endpoint() as endpoint:
        endpoint.answers = [(200, completion("I will write it at once.")), (200, stream(CITED_AND_INVENTED))]
        settings = {name.upper(): value for name, value in endpoint.settings().items()}
        service = ServiceProcess(tmp_path / "data", settings)
        try:
            await service.start()
            dorsum = Dorsum.of(service)
            final = await dorsum.send(SPEECH, final=True)
            assert final.status == 200
            again = await dorsum.send(SPEECH, final=True)
            assert again.body == final.body
            assert service.stop() == 0
        finally:
            service.kill()
        assert len(endpoint.requests) == 2
    note = final.json["clinical_notes"]
    assert INVENTED not in note
    shown = sections_of(note)
    assert [shown[name.title()] for name in ("subjective", "objective", "plan")] == [
        SECTIONS[name] for name in ("subjective", "objective", "plan")
    ]
    assert shown["Assessment"] == ["(nothing in the transcript)"]
    log = EventLog(open_log(service.log_url).recorder)
    history = [recorded.event for recorded in await log.history(UUID(final.json["task_id"]))]
    await log.close()
    (written,) = [event for event in history if isinstance(event, NoteWritten)]
    assert (written.engine, written.fallback_reason, written.unsupported_share) == ("openai", None, 0.25)
    assert INVENTED not in "".join(event.model_dump_json() for event in history)
    assert INVENTED not in service.log_file.read_text()

from uuid import UUID

from hypothesis import HealthCheck, Phase, given, settings

from adapters.event_log.mapper import EventMapper, VersionedEvent
from domain.events import EVENT_TYPES, LoggedEvent
from service.generators.event_schemas import schema_name
from tests.domain.corpus import FOLDER, line_of
from tests.domain.history_kit import histories, session_histories

LINES = 12


def main() -> None:
    events: dict[str, dict[str, str]] = {schema_name(event_type): {} for event_type in EVENT_TYPES.values()}
    mapper = EventMapper()

    @settings(
        max_examples=3_000,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(histories() | session_histories())
    def collect(history: list[LoggedEvent]) -> None:
        for version, event in enumerate(history, 1):
            lines = events[schema_name(type(event))]
            if len(lines) < LINES:
                trace_id = f"trace-{len(lines)}" if len(lines) % 2 else None
                row = mapper.to_stored_event(VersionedEvent(UUID(int=len(lines) + 1), version, event, trace_id))
                lines.setdefault(event.model_dump_json(exclude={"at"}), line_of(row))

    collect()
    for name, lines in events.items():
        path = FOLDER / f"{name}.jsonl"
        if not path.exists():
            path.write_text("".join(lines.values()))
            print(f"{path.name}: {len(lines)} events")


main()

from uuid import UUID

from hypothesis import HealthCheck, Phase, given, settings

from adapters.event_log.mapper import EventMapper, VersionedEvent
from domain.events import EVENT_TYPES, LoggedEvent
from service.generators.event_schemas import schema_name
from tests.domain.corpus import FOLDER, line_of
from tests.domain.history_kit import histories, order_histories, session_histories

LINES = 12


def main() -> None:
    events: dict[str, dict[str, tuple[int, LoggedEvent]]] = {
        schema_name(event_type): {} for event_type in EVENT_TYPES.values()
    }

    @settings(
        max_examples=3_000,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(histories() | session_histories() | order_histories())
    def collect(history: list[LoggedEvent]) -> None:
        for version, event in enumerate(history, 1):
            events[schema_name(type(event))].setdefault(event.model_dump_json(exclude={"at"}), (version, event))

    collect()
    for name, drawn in events.items():
        path = FOLDER / f"{name}.jsonl"
        if not path.exists():
            lines = _lines(_spread(list(drawn.values())))
            path.write_text("".join(lines))
            print(f"{path.name}: {len(lines)} events")


def _spread(drawn: list[tuple[int, LoggedEvent]]) -> list[tuple[int, LoggedEvent]]:
    """Some from everywhere: what is drawn one after another is alike."""
    return drawn[:: max(1, len(drawn) // LINES)][:LINES]


def _lines(events: list[tuple[int, LoggedEvent]]) -> list[str]:
    mapper = EventMapper()
    lines = []
    for number, (version, event) in enumerate(events):
        trace_id = f"trace-{number}" if number % 2 else None
        lines.append(line_of(mapper.to_stored_event(VersionedEvent(UUID(int=number + 1), version, event, trace_id))))
    return lines


if __name__ == "__main__":
    main()

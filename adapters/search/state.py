"""What a search index keeps of itself: which version made it, with which key, which tables are in use, and how far it
has come."""

from dataclasses import dataclass

from adapters.database.port import Tables
from adapters.rebuilding import OtherSchema
from adapters.search.engine import STATE
from adapters.sqlite_file import DatabaseUnavailable


@dataclass(frozen=True, slots=True)
class State:
    """`schema`: the number of the version that made it. `generation`: of the tables in use. `position`: in the log."""

    schema: int
    key: bytes
    generation: int
    position: int


def state_if_any(tables: Tables) -> State | None:
    """None for an index that is only being made."""
    row = tables.execute(f"SELECT schema, key, generation, position FROM {STATE}").fetchone()  # noqa: S608
    return None if row is None else State(*row)


def state_of(tables: Tables) -> State:
    """That of any index. Raises: DatabaseUnavailable if it has none."""
    state = state_if_any(tables)
    if state is None:
        raise DatabaseUnavailable("The search index has lost its state.")
    return state


def own_state(tables: Tables, schema: int) -> State:
    """That of an index that the version with this number could have made. Raises: OtherSchema; as `state_of`."""
    state = state_of(tables)
    if state.schema != schema:
        raise OtherSchema("The search index")
    return state

"""A recording's id is computed from its caller's names for it, so that finding it needs no index."""

from uuid import UUID, uuid5

_NAMESPACE = UUID("5e0c6a5e-3f5c-5d0b-9b0f-7a9f4c1d2e83")


def recording_id(dialect: str, tenant_id: str, *external_ids: str) -> UUID:
    """The UUIDv5 of the recording that a tenant of a dialect calls by `external_ids`.

    Each part is preceded by its length, so that no two lists of parts give the same name.
    """
    parts = (dialect, tenant_id, *external_ids)
    return uuid5(_NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts))

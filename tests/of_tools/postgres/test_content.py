"""What tests search in when they ask what a database still has."""

import psycopg
import pytest

from tests.tools.postgres.content import content_of_database


def test_texts_and_bytes_of_every_table_are_found_as_they_were_stored_and_those_of_one_schema_alone(database):
    long = bytes(range(256)) * 1_000
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE public_one (said text)")
        connection.execute("CREATE SCHEMA other")
        connection.execute('CREATE TABLE other."A name" (body bytea)')
        connection.execute("INSERT INTO public_one VALUES ('Zoë said so')")
        connection.execute('INSERT INTO other."A name" VALUES (%s)', [long])
    content = content_of_database(database)
    assert "Zoë said so".encode() in content
    assert long in content
    of_one = content_of_database(database, schema="other")
    assert long in of_one
    assert "Zoë".encode() not in of_one
    with psycopg.connect(database) as connection:
        connection.execute('DELETE FROM other."A name"')
    assert long not in content_of_database(database)


def test_where_there_is_no_table_nobody_is_told_that_nothing_was_found(database):
    with pytest.raises(LookupError, match="no table in the database"):
        content_of_database(database)
    with pytest.raises(LookupError, match="no table in other"):
        content_of_database(database, schema="other")

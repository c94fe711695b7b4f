"""The event log's tables and functions in PostgreSQL: steps that are only ever added to."""

PART = "event log"

CHANNEL = "tapedeck_log"
"""What LISTEN names: each commit sends the position of its last event there."""

HEAD = "SELECT max(position) FROM tapedeck.stored_events"
"""The position of the last event; null if there is none."""

_TABLES = """
CREATE TABLE tapedeck.stored_events (
    position  bigint PRIMARY KEY,
    stream_id uuid   NOT NULL,
    version   bigint NOT NULL,
    topic     text   NOT NULL,
    state     bytea  NOT NULL,
    UNIQUE (stream_id, version)
);
CREATE TABLE tapedeck.log_identity (id text NOT NULL);
INSERT INTO tapedeck.log_identity SELECT replace(gen_random_uuid()::text, '-', '');
CREATE TABLE tapedeck.snapshots (
    stream_id uuid   PRIMARY KEY,
    version   bigint NOT NULL,
    topic     text   NOT NULL,
    state     bytea  NOT NULL
);
"""

_APPEND = """
CREATE FUNCTION tapedeck.append_events_1(
    stream_ids uuid[],    -- each stream once
    streams    integer[], -- of each append: which of them, from 1
    expected   bigint[],  -- of each append: the version that its stream must be at
    counts     integer[], -- of each append: how many events it has
    appends    integer[], -- of each event: its append, from 1; in order
    topics     text[],
    states     bytea[]
) RETURNS bigint[]        -- of each append: the position of its last event, or NULL if its stream was elsewhere
LANGUAGE plpgsql AS $$
DECLARE
    head      bigint;
    versions  bigint[];  -- of each stream, counting the appends so far
    outcomes  bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(streams)]);
    positions bigint[] := outcomes;  -- of each append that fits: what is added to an event's number in the batch
    seen      integer := 0;
BEGIN
    -- Held until the commit is visible to others, so positions are dense and in the order of commits. What follows
    -- sees all earlier commits: in a READ COMMITTED transaction each statement of the function looks anew.
    PERFORM pg_advisory_xact_lock(128021077032962);
    SELECT coalesce(max(position), 0) INTO head FROM tapedeck.stored_events;
    SELECT array_agg(coalesce((SELECT max(version) FROM tapedeck.stored_events WHERE stream_id = wanted.id), 0)
                     ORDER BY wanted.number)
      INTO versions FROM unnest(stream_ids) WITH ORDINALITY AS wanted (id, number);
    FOR number IN 1 .. cardinality(streams) LOOP
        IF versions[streams[number]] = expected[number] THEN
            positions[number] := head - seen;
            head := head + counts[number];
            versions[streams[number]] := expected[number] + counts[number];
            outcomes[number] := head;
        END IF;
        seen := seen + counts[number];
        expected[number] := expected[number] + counts[number] - seen;  -- what turns an event's number into its version
    END LOOP;
    INSERT INTO tapedeck.stored_events (position, stream_id, version, topic, state)
    SELECT positions[event.append] + event.number, stream_ids[streams[event.append]],
           expected[event.append] + event.number, event.topic, event.state
      FROM unnest(appends, topics, states) WITH ORDINALITY AS event (append, topic, state, number)
     WHERE positions[event.append] IS NOT NULL;
    IF FOUND THEN
        PERFORM pg_notify('tapedeck_log', head::text);
    END IF;
    RETURN outcomes;
END
$$;
"""

_APPEND_ALL = """
CREATE FUNCTION tapedeck.append_all_2(
    there_ids      uuid[],    -- events that must be in the log already: of each its stream,
    there_versions bigint[],  -- and its version
    stream_ids     uuid[],    -- of each event to append: its stream,
    versions       bigint[],  -- and its version, which follows that of the event before it in this stream
    topics         text[],
    states         bytea[]
) RETURNS bigint              -- the position of the last event, or NULL if not all fit: then nothing was appended
LANGUAGE plpgsql SET enable_seqscan = off AS $$  -- a plan made while the table was small would read all of it later
DECLARE
    head bigint;
BEGIN
    -- The lock of append_events_1, for the same reasons.
    PERFORM pg_advisory_xact_lock(128021077032962);
    IF cardinality(there_ids) > 0 AND EXISTS (
        SELECT FROM unnest(there_ids, there_versions) AS there (id, number)
         WHERE (SELECT version FROM tapedeck.stored_events
                 WHERE stream_id = there.id AND version = there.number) IS NULL
    ) THEN
        RETURN NULL;
    END IF;
    SELECT coalesce(max(position), 0) INTO head FROM tapedeck.stored_events;
    -- A stream in which the event before these is there fits, unless it has gone on: then an event of this version is
    -- there, too, and the index refuses another.
    INSERT INTO tapedeck.stored_events (position, stream_id, version, topic, state)
    SELECT head + event.number, event.stream_id, event.version, event.topic, event.state
      FROM unnest(stream_ids, versions, topics, states) WITH ORDINALITY
        AS event (stream_id, version, topic, state, number);
    head := head + cardinality(stream_ids);
    PERFORM pg_notify('tapedeck_log', head::text);
    RETURN head;
EXCEPTION WHEN unique_violation THEN
    RETURN NULL;
END
$$;
"""

STEPS = (_TABLES, _APPEND, _APPEND_ALL)

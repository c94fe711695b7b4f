"""Faults of stores in SQLite, PostgreSQL and buckets, which their contract suites and their own tests must notice.

Of two kinds: a row, or an answer, before the object that it speaks of is in the bucket; and a view whose rows and
position do not change together.
"""

from functools import partial

from tests.tools.simulation.planted_fault import Fault

BUCKET_TESTS = (
    "tests/adapters/blobs/bucket/test_order.py",
    "tests/adapters/blobs/bucket/test_shared_index.py",
    "tests/adapters/blobs/bucket/test_store.py",
)
"""They need a real S3 server and a real PostgreSQL, as those of views need the latter. The simulation knows neither."""

VIEW_TESTS = (
    "tests/adapters/test_views_in_step.py",
    "tests/adapters/database/test_one_writer.py",
    "tests/adapters/test_summaries.py",
    "tests/adapters/test_usage.py",
)
BYTES_TESTS = ("tests/adapters/event_log/test_log.py",)

_KEEPER = "adapters/blobs/bucket/keeping.py"
_SPACE = "adapters/blobs/bucket/space.py"
_IN_FILE = "adapters/blobs/bucket/index_in_file.py"
_IN_POSTGRES = "adapters/blobs/bucket/index_in_postgres.py"
_SUMMARIES = "adapters/summaries.py"
_LOG_VIEW = "adapters/log_view.py"
_SEARCH = "adapters/search/index.py"

_ANEW = "        with self._database.writing() as tables:\n"
"""Another transaction, for the lines that follow."""

_PUT = "                self._bucket.put(name, content)\n"
_ADDED = "                if self._index.add(name, len(content), parts):\n"
_MOVED = "        self._bucket.put(new, content)\n"
_REPLACED = (
    "        if not self._index.replace(moved, new, len(content), parts):\n            self._index.give_up(new)\n"
)
_TO_BE_MOVED = "        name, moved = new_name(), list(sources)\n        with self._writing() as tables:\n"
_ROWS = "            self._fold_into(tables, _LIVE, events)\n"
_UNTIL_IT_HAS_MOVED = (
    "        del sources  # one process moves at a time, and what it leaves behind is deleted\n"
    "        name = new_name()\n"
    "        with self._file.writing() as writer:\n"
    "            _doom(writer, [name], arrives_until=time.time() + LATEST_ARRIVAL_SECONDS)\n"
)
_SUMMARY_POSITION = "            _set_position(tables, events[-1].position)\n"
_VIEW_POSITION = "            set_position(tables, events[-1].position if up_to is None else up_to)\n"
_REBUILT_SUMMARY_POSITION = "            _set_position(tables, position)\n"
_REBUILT_POSITION = "            set_position(tables, position)\n"
_SEARCH_ROWS = "            _write(self._generation(tables, state.generation), state.key, changes.changes)\n"
_SEARCH_POSITION = '            tables.execute(f"UPDATE {STATE} SET position=?", (changes.position,))  # noqa: S608\n'
_DELIVERIES_POSITION = '            tables.execute("DELETE FROM webhook_position")\n'

_bucket_fault = partial(Fault, tests=BUCKET_TESTS)
_view_fault = partial(Fault, tests=VIEW_TESTS)

ROW_BEFORE_OBJECT = (
    _bucket_fault("row before object: new bodies are indexed first", _KEEPER, _PUT + _ADDED, _ADDED + "    " + _PUT),
    _bucket_fault(
        "row before object: nobody waits for the PUT",
        _KEEPER,
        _PUT,
        "                self._threads.submit(self._bucket.put, name, content)\n",
    ),
    _bucket_fault(
        "row before object: a PUT that failed is answered as if it had not",
        _KEEPER,
        "                self._give_up(name)\n                return failure\n",
        "                self._give_up(name)\n                return None\n",
    ),
    _bucket_fault(
        "answer before object: nobody waits for the PUT of a large body",
        "adapters/blobs/bucket/arrival.py",
        "        self._bucket.put_file(name_of(blob.key), self._temporary_file)\n        self.discard()\n",
        "        from threading import Thread\n"
        "        Thread(target=self._bucket.put_file, args=(name_of(blob.key), self._temporary_file)).start()\n",
    ),
    _bucket_fault(
        "answer before object: nobody waits for the PUT of what a worker has made",
        "adapters/blobs/bucket/store.py",
        "        self._bucket.put(name_of(blob.key), body)\n",
        "        self._threads._pool.submit(self._bucket.put, name_of(blob.key), body)\n",
    ),
    _bucket_fault(
        "row before object: what moves is indexed where it is not yet", _SPACE, _MOVED + _REPLACED, _REPLACED + _MOVED
    ),
    _bucket_fault(
        "row without object: an object is deleted before what is live in it has moved",
        _SPACE,
        _MOVED,
        "        self._bucket.delete(moved)\n" + _MOVED,
    ),
    _bucket_fault(
        "row without object: an object is doomed before what is live in it has moved (index in a file)",
        _IN_FILE,
        _UNTIL_IT_HAS_MOVED,
        _UNTIL_IT_HAS_MOVED.partition("\n")[2].replace("[name]", "[name, *sources]"),
    ),
    _bucket_fault(
        "row without object: an object is doomed before what is live in it has moved (index in PostgreSQL)",
        _IN_POSTGRES,
        _TO_BE_MOVED,
        _TO_BE_MOVED + "            gone = 'SELECT unnest(?::text[]) AS name'\n"
        "            tables.execute(DOOM.format(gone=gone, arrives='false'), (moved,))\n",
    ),
    _bucket_fault(
        "row without object: what is given up is doomed though it is indexed (index in a file)",
        _IN_FILE,
        "            if not _is_known(writer, name):\n",
        "            if True:\n",
    ),
    _bucket_fault(
        "row without object: what is given up is doomed though it is indexed (index in PostgreSQL)",
        "adapters/blobs/bucket/announcing.py",
        "WHERE NOT EXISTS (SELECT 1 FROM objects WHERE objects.name = given.name)",
        "WHERE true",
    ),
    _bucket_fault(
        "answer before row: an object that was taken away is answered as indexed",
        _IN_POSTGRES,
        "                is_done = added(tables, ANNOUNCED, name, size_bytes, parts) is not None\n",
        "                added(tables, ANNOUNCED, name, size_bytes, parts)\n                is_done = True\n",
    ),
    _bucket_fault(
        "answer before row: a commit whose answer is lost is taken for done",
        _IN_POSTGRES,
        "            if not self.has(name):\n                raise\n            return True\n",
        "            return True\n",
    ),
    _bucket_fault(
        "answer before row: what is noted is not synced (index in a file)",
        "adapters/blobs/index_file.py",
        "connect(self._path, durable=True)",
        "connect(self._path, durable=False)",
    ),
    _bucket_fault(
        "answer before row: what is noted is not synced (index in PostgreSQL)",
        _IN_POSTGRES,
        "self._database().writing() as tables:",
        "self._database().writing(lasting=False) as tables:",
    ),
    Fault(
        "row before object: an event is committed before its bytes are kept",
        "adapters/event_log/log.py",
        "        failures = _bytes_failures(chains)\n"
        "        whole = [_until_a_failure(chain, failures) for chain in chains]\n"
        "        appends = [_joined(chain) for chain in whole if chain]\n"
        "        last_positions = iter(self._recorder.insert_batch(appends) if appends else ())\n",
        "        appends = [_joined(chain) for chain in chains]\n"
        "        last_positions = iter(self._recorder.insert_batch(appends))\n"
        "        failures = _bytes_failures(chains)\n"
        "        whole = [_until_a_failure(chain, failures) for chain in chains]\n",
        tests=BYTES_TESTS,
    ),
)

VIEW_WITHOUT_POSITION = (
    _view_fault(
        "view without position: the status view's rows are committed first",
        _SUMMARIES,
        _ROWS + _SUMMARY_POSITION,
        _ROWS + _ANEW + _SUMMARY_POSITION,
    ),
    _view_fault(
        "position without view: the status view's position is committed first",
        _SUMMARIES,
        _ROWS + _SUMMARY_POSITION,
        _SUMMARY_POSITION + _ANEW + _ROWS,
    ),
    _view_fault(
        "view without position: the status view takes events whatever it stands at",
        _SUMMARIES,
        "            if _own_position(tables) != after:\n                raise PositionMoved\n",
        "            _own_position(tables)\n",
    ),
    _view_fault(
        "view without position: rows of a view of the log are committed first",
        _LOG_VIEW,
        _ROWS + _VIEW_POSITION,
        _ROWS + _ANEW + _VIEW_POSITION,
    ),
    _view_fault(
        "position without view: the position of a view of the log is committed first",
        _LOG_VIEW,
        _ROWS + _VIEW_POSITION,
        _VIEW_POSITION + _ANEW + _ROWS,
    ),
    _view_fault(
        "view without position: a view of the log takes events whatever it stands at",
        _LOG_VIEW,
        "            if self._own_position(tables) != after:\n                raise PositionMoved\n",
        "            self._own_position(tables)\n",
    ),
    _view_fault(
        "view without position: the status view is in place before its position after a rebuild",
        _SUMMARIES,
        _REBUILT_SUMMARY_POSITION,
        _ANEW + _REBUILT_SUMMARY_POSITION,
    ),
    _view_fault(
        "view without position: a view of the log is in place before its position after a rebuild",
        _LOG_VIEW,
        _REBUILT_POSITION,
        _ANEW + _REBUILT_POSITION,
    ),
    _view_fault(
        "view without position: what can be searched is committed first",
        _SEARCH,
        _SEARCH_ROWS + _SEARCH_POSITION,
        _SEARCH_ROWS + _ANEW + _SEARCH_POSITION,
    ),
    _view_fault(
        "view without position: webhook deliveries are committed first",
        "adapters/webhooks/store.py",
        _DELIVERIES_POSITION,
        _ANEW + _DELIVERIES_POSITION,
    ),
    _view_fault(
        "view without position: another writes between the check and the rows (SQLite)",
        "adapters/sqlite_file.py",
        '    connection.execute("BEGIN IMMEDIATE")\n',
        '    connection.execute("BEGIN")\n',
    ),
    _view_fault(
        "view without position: another writes between the check and the rows (PostgreSQL)",
        "adapters/database/postgres.py",
        'f"BEGIN; SELECT pg_advisory_xact_lock({_WRITERS}, {self._lock})"',
        '"BEGIN"',
    ),
    _view_fault(
        "view without position: each statement commits by itself (PostgreSQL)",
        "adapters/database/postgres.py",
        'f"BEGIN; SELECT pg_advisory_xact_lock({_WRITERS}, {self._lock})"',
        'f"SELECT pg_advisory_xact_lock({_WRITERS}, {self._lock})"',
    ),
)

STORE_FAULTS = (*ROW_BEFORE_OBJECT, *VIEW_WITHOUT_POSITION)

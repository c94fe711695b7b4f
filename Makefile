# Each target works on its own on a fresh machine with Python 3.11 or later, and make.
.DEFAULT_GOAL := help
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))
BIN := .venv/bin

.PHONY: help run demo test test-slow test-scaled-out test-processes soak soak-kafka soak-ingest soak-webhooks soak-arriving soak-audio soak-abuse soak-cluster faults mutate lint bench bench-ingest bench-kafka bench-scale bench-words bench-notes note-model kafka format lock schemas screenshots clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: .venv/installed ## start the service on http://127.0.0.1:8080
	@exec $(BIN)/tapedeck serve

demo: .venv/installed ## take one recording through: chunks in, transcript and history out
	@$(BIN)/tapedeck demo

# Images for containers set PYTHONDONTWRITEBYTECODE. The tests start hundreds of processes; each would compile all code.
# Three parallel processes, also on two cores: they often wait. At a low priority, to which the service's workers then
# add little: 10 below their service's, they would stand still for minutes while other tests compute.
PYTEST := nice -n 15 env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

test: .venv/installed ## run the tests, but for the slow ones; ARGS="-n 0 tests/domain" for one folder in one process
	@$(PYTEST) -m "not slow" $(ARGS)

test-slow: .venv/installed ## run the tests that take more than four seconds each: kills, restarts, hours of sound
	@$(PYTEST) -m slow $(ARGS)

IN_SCALED_OUT := changed_at_once crash deletion devices done_once end_users finalize lists live main_job note_edits quotas replacements revoked_keys scopes search search_deletion whole_file
test-scaled-out: TEST_API_PROCESSES ?= 3
test-scaled-out: .venv/installed ## run end-to-end tests again, with a database, a bucket and three API processes for each service; TEST_API_PROCESSES=1 for one, ARGS=tests/end_to_end for all tests
	@TEST_PROFILE=scaled-out TEST_API_PROCESSES=$(TEST_API_PROCESSES) $(PYTEST) $(if $(ARGS),$(ARGS),$(IN_SCALED_OUT:%=tests/end_to_end/test_%.py))

IN_PROCESSES := changed_at_once deletion done_once dragon_answers finalize main_job quotas revoked_keys whole_file
test-processes: .venv/installed ## run end-to-end tests again, with three API processes for each service; ARGS=tests/end_to_end for all tests
	@TEST_API_PROCESSES=3 $(PYTEST) $(if $(ARGS),$(ARGS),-m "not slow" $(IN_PROCESSES:%=tests/end_to_end/test_%.py))

faults: .venv/installed ## plant faults in a copy of the code, one at a time; tests must catch each
	@$(BIN)/python -m tests.tools.simulation.planted_faults $(ARGS)
soak: .venv/installed ## simulate 10 000 seeds (or SIMULATION_SEEDS), run the property tests 20 000 times
	@$(BIN)/python -m tests.tools.simulation
	SOAK_EXAMPLES=$${SOAK_EXAMPLES:-20000} $(BIN)/python -m pytest --timeout 0 --durations 3 tests/domain/test_state_machine.py $(ARGS)

mutate: .venv/installed ## mutate the domain's code and check that a test notices: about half an hour
	$(BIN)/mutmut run
	@$(BIN)/mutmut export-cicd-stats > /dev/null
	@$(BIN)/mutmut results
	@$(BIN)/python -m tests.tools.mutation_score

lint: .venv/installed ## check formatting, lint, types and the imports between rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/installed ## run the benchmarks: measurements as ratios
	@$(BIN)/python -m tests.tools.bench $(ARGS)

bench-ingest: .venv/installed ## measure how fast chunks are stored, compared with nginx and others
	@$(BIN)/python -m tests.tools.bench.ingest

soak-ingest: .venv/installed ## kill -9 the service 200 times under load; store a million small chunks (half an hour)
	@$(BIN)/python -m tests.tools.bench.ingest.soak

bench-kafka: .venv/installed ## compare the publisher with a bare producer; measure how long consumers wait
	@$(BIN)/python -m tests.tools.bench.kafka

bench-scale: .venv/installed ## compare the log in PostgreSQL with a bare insert, with 1 to 8 writing processes; then two API processes with one
	@$(BIN)/python -m tests.tools.bench.scale

bench-words: .venv/installed ## count the words that the engine gets right, beside plain faster-whisper; ARGS=--help
	@$(BIN)/python -m tests.tools.bench.words $(ARGS)

bench-notes: .venv/installed ## compare quoted notes with clinicians' own and with what quoting can reach; ARGS=--help
	@$(BIN)/python -m tests.tools.bench.notes $(ARGS)

note-model: .venv/installed ## learn the quoting note writer's model anew from the data; ARGS=--check compares only
	@$(BIN)/python -m tests.tools.note_model $(ARGS)

kafka: .venv/installed ## run a real Apache Kafka on port 9092 until Ctrl-C; needs Java 17 and Maven
	@exec $(BIN)/python -m tests.tools.kafka $(ARGS)

soak-kafka: .venv/installed ## run the Kafka tests at full size: 50 kills, 5 broker restarts, two minutes without Kafka
	@CI=true KAFKA_SOAK=full $(BIN)/python -m pytest tests/end_to_end/test_kafka.py -s $(ARGS)

schemas: .venv/installed ## generate schemas/, the diagram in domain/README.md and the chart's settings from the code
	@$(BIN)/python -m service.generators
	@$(BIN)/python -m service.runtime.chart_schema

soak-webhooks: .venv/installed ## deliver 10 000 webhooks with two dead receivers and a kill -9 in the middle
	@$(BIN)/python -m tests.tools.soak.webhooks $(ARGS)

soak-arriving: .venv/installed ## kill, pause and restart the service 300 times while it listens; ARGS="--faults 20 --seed 7" for less
	@$(BIN)/python -m tests.tools.soak.arriving $(ARGS)

soak-audio: .venv/installed ## stitch 20 000 damaged recordings, join every pair of formats; ARGS="--seed 7" runs one again
	@$(BIN)/python -m tests.tools.soak.audio $(ARGS)
	@test -n "$(ARGS)" || EVERY_PAIR=all $(BIN)/python -m pytest -q -n 2 tests/adapters/audio/test_pairs.py

soak-abuse: .venv/installed ## honest clients beside hostile ones for half an hour; ARGS="--minutes 2" for less
	@$(BIN)/python -m tests.tools.soak.abuse $(ARGS)

soak-cluster: .venv/installed ## do 300 faults to a cluster under load, with real servers; ARGS="--faults 20 --seed 7" for less
	@$(BIN)/python -m tests.tools.soak.cluster $(ARGS)

format: .venv/installed ## reformat the code and fix what lint can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: .venv/installed ## update requirements.lock to the newest dependencies
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet -o requirements.lock

screenshots: .venv/installed ## take pictures of every view of the console into .screenshots; needs Chromium
	@$(BIN)/python -m tests.tools.screenshots $(ARGS)

clean: ## remove what the targets created, but never .data
	rm -rf .venv .azurite .bench-words .gcs .helm .kafka .promql .s3 .screenshots .soak-audio .typescript .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis *.egg-info build mutants

.venv/installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "tapedeck needs Python 3.11 or later; install it, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Setting up .venv (once; about a minute) ..."
	@$(PYTHON) -m venv --clear .venv || { echo "python's venv module is missing; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock || { \
		echo "A dependency could not be installed, see above. If the network is down, try again later. CTranslate2, which recognizes speech, has no build for Alpine and other musl systems: use one with glibc." >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

# make run   sets up what is missing, starts the assistant with an Asterisk of its own, says what to dial
# make test  lint, types, unit and end-to-end tests
# make machines  the locks on every machine that we name, and the unit tests with the oldest packages that we name

.PHONY: run test unit e2e lint format call doctor lock machines clean

run:
	@scripts/bootstrap run
	@exec .venv/bin/ari-assistant run

test: .dev
	@$(MAKE) --no-print-directory -j2 --output-sync=target lint unit
	@$(MAKE) --no-print-directory e2e

lint: .dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python scripts/dead_code.py

unit: .dev
	.venv/bin/python -m pytest -q -n 2 tests/unit tests/property

# Calls wait more than they compute: five servers side by side on two cores. What measures runs alone, afterwards.
E2E = .venv/bin/python -m pytest -q -p no:randomly tests/contract tests/e2e
e2e: .dev
	$(E2E) -m "not alone" -n 5
	$(E2E) -m alone

format: .dev
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

.PHONY: .dev
.dev:
	@scripts/bootstrap dev

# make call URI=sip:hello@127.0.0.1:5060 SAY="When are you open?"
call:
	@scripts/bootstrap run
	@.venv/bin/ari-assistant call $(URI) $(if $(SAY),--say "$(SAY)")

doctor:
	@scripts/bootstrap run
	@.venv/bin/ari-assistant doctor

# Needs uv. The locks name no index, so they work with whatever registry pip is set up for.
COMPILE = uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--extra local --extra piper --extra phone --extra postgres
lock:
	printf 'hatchling\neditables\n' | $(COMPILE) pyproject.toml - -o requirements/run.lock
	$(COMPILE) --group dev pyproject.toml -c requirements/run.lock -o requirements/dev.lock

machines: .dev
	@scripts/check-machines

clean:
	rm -rf .venv data .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

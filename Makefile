# Everything runs through uv; a machine with only python3 and pip gets its own copy in .uv.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
export UV_COMPILE_BYTECODE := 1
export UV_PROJECT_ENVIRONMENT := .venv
RUN := $(UV) run --locked --no-sync

.PHONY: setup demo test coverage clocks laws kernel fuzz thorough check bench soak attack docs wheels clean

setup: .venv/.ready  ## make .venv with everything

.uv/bin/uv:
	python3 -m pip install --quiet --disable-pip-version-check --target .uv uv

# the kernel is built by the system's compiler, or in a setup for development by zig, which comes with it
KERNEL := src/tearsheet/columns/kernel.c
.venv/.ready: pyproject.toml uv.lock $(KERNEL) | $(filter .uv/bin/uv,$(UV))
	$(UV) sync --locked --quiet
	@$(RUN) python -m tearsheet.columns.build
	@touch $@

.venv/.runs: pyproject.toml uv.lock $(KERNEL) | $(filter .uv/bin/uv,$(UV))
	$(UV) sync --locked --quiet --no-dev --inexact
	@$(RUN) python -m tearsheet.columns.build
	@touch $@

demo: .venv/.runs  ## make a sample, run the main job on it, show it in the dashboard (DEMO_SERVE=0: do not)
	$(RUN) tearsheet demo $(if $(filter 0,$(DEMO_SERVE)),,--serve)

# bytecode is kept while tests run, also where a shell forbids it: rewriting asserts takes 10 s a process
test coverage laws fuzz thorough clocks: export PYTHONDONTWRITEBYTECODE :=

# three workers on two cores, since many tests wait for a process; tests/conftest.py puts the long files first
PYTEST := $(RUN) pytest -n 3 --dist loadfile --no-loadscope-reorder

test: setup  ## all tests
	$(PYTEST)

coverage: setup  ## all tests with all examples of the laws, and the floors of coverage
	$(PYTEST) --hypothesis-profile thorough --cov --cov-report=
	$(RUN) coverage report --precision=1 --fail-under=95 --include='*/tearsheet/trade/*,*/tearsheet/performance/*,*/tearsheet/rules/*'
	$(RUN) coverage report --precision=1 --fail-under=90 --skip-covered --show-missing

clocks: setup  ## the tests under moved clocks: 29 February, 31 December, a Sunday, 00:30 and 23:30 UTC
	$(RUN) python -m tests.moved_clocks $(if $(QUICK),--quick)

# each run looks for new examples, but a quick one takes always the same, so that no run of CI fails by chance
laws: setup  ## all examples of the laws of the core
	$(PYTEST) -q --hypothesis-profile thorough $(if $(QUICK),--hypothesis-seed 1) tests/trade tests/performance tests/rules

kernel: setup  ## the kernel against the book: random fills, mutants, sanitizers
	$(RUN) python -m tests.columns.kernel_checks $(if $(QUICK),--quick)

fuzz: setup  ## three million broken files, posts and settings, each layout its share; it goes on where it was stopped (tests/fuzz.py)
	$(RUN) python -m tests.fuzz $(if $(QUICK),--cases 3000,--state .fuzz.jsonl) $(FUZZ)

ifdef QUICK
thorough: laws kernel fuzz clocks  ## what is long by nature: coverage, examples, fuzz, mutants, moved clocks (QUICK=1: short)
else
thorough: coverage kernel fuzz clocks
endif

check: setup  ## lint, types, import contracts, docs
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) lint-imports
	$(RUN) python docs/generate.py --check

bench: setup  ## ratios beside a peer and the physical limit, in one run
	$(RUN) python -m benchmarks

SECONDS := 60
soak: setup  ## while workers, Redis, logs, clock and disk are harmed: make soak SECONDS=600 SOAK="--out soak.json"
	$(RUN) python -m benchmarks.soak --seconds $(SECONDS) $(SOAK)

attack: setup  ## slow, silent and greedy clients, 60 s each, beside probes: make attack SECONDS=60
	$(RUN) python -m benchmarks.front_door --seconds $(SECONDS)

docs: setup  ## write the generated pages anew
	$(RUN) python docs/generate.py

wheels: setup  ## a wheel for each platform in dist/, each with its kernel
	for target in $$($(RUN) python -c "from tearsheet.columns.build import WHEELS; print(*WHEELS)"); do \
		TEARSHEET_WHEEL_TARGET=$$target $(RUN) --with hatchling hatchling build -t wheel || exit 1; done

clean:
	rm -rf .venv .uv dist build .coverage htmlcov .pytest_cache .mypy_cache .ruff_cache

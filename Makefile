# Everything that is done with this project, by name; `make help` lists it. CI runs `make test`.

SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/sbin:/sbin
# Where containers set it, each of the hundreds of processes that tests start would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= $(shell tools/find-python)
PARTS := collector,emulators,web,notify,demo,elf,dev
CORE  := $(wildcard emulators/core/*.[ch])
# Most tests wait for a server or a process, so two cores do four at once. A file's tests stay together, so that they
# share what they start; tests/conftest.py says in which order.
FOUR_AT_ONCE := -n 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help install servers demo test check check-python check-c format bench soak soak-memory fuzz pictures docs clean

help: ## Say what there is to do
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do \
		printf '  make %-12s %s\n' "$$name" "$$text"; done

install: .venv/.installed ## Put memfleet and all it needs into .venv (python 3.11 or newer, a C compiler)

# The packages are fetched when pyproject.toml changes, the C core is built anew when its sources change. The rest is
# read from the tree as it stands.
.venv/.packages: pyproject.toml
	@tools/make-venv "$(PYTHON)" "$(PARTS)"
	@touch $@

.venv/.installed: .venv/.packages $(wildcard CMakeLists.txt) $(CORE)
	@pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

servers: ## Install the servers that the tests run against (asks first)
	@tools/servers

demo: install ## An emulated fleet with its page, at http://127.0.0.1:8080 (Ctrl-C ends it)
	@memfleet demo

test: install servers ## Run all tests, against real servers
	@python -m pytest $(FOUR_AT_ONCE)

check: check-python check-c ## Format, lint, types, import floors; the C core without a warning

check-python: install
	ruff format --check .
	ruff check .
	mypy
	python -m pytest -q tests/test_floors.py

check-c: install
	@command -v clang-format >/dev/null || { echo 'clang-format is not on the PATH; on Debian: apt-get install clang-format'; exit 1; }
	clang-format --dry-run -Werror $(CORE)
	cmake -S . -B build/strict -G Ninja -DCMAKE_BUILD_TYPE=Release -DMEMFLEET_STRICT=ON -DPython_EXECUTABLE=$(CURDIR)/.venv/bin/python
	cmake --build build/strict --clean-first

format: install ## Put Python and C into the house's format
	ruff format .
	ruff check --fix .
	clang-format -i $(CORE)

bench: install ## Run every benchmark; each prints one JSON object
	@for file in bench/[a-z]*.py; do python "$$file" || exit 1; done

soak: install ## Compose faults over the whole path (KILLS=200 SEED=1); prints what was lost: nothing
	@KILL_EPISODES=$${KILL_EPISODES:-20} python -m pytest tests/collector/notify/test_kill.py -q
	@python -m tests.faults.run --kills $${KILLS:-200} --seed $${SEED:-1}

soak-memory: install ## Run the demo for an hour (SOAK_S=seconds) and watch its memory
	@python tools/soak.py --seconds $${SOAK_S:-3600}

fuzz: install ## Throw many more inputs at wire, parsers, maps, settings, heaps and journal than `make test` does
	@python -m tests.faults.fuzz --payloads $${PAYLOADS:-300000} --seed $${SEED:-$$RANDOM}
	@HEAP_FUZZ_INPUTS=$${HEAP_FUZZ_INPUTS:-500000} HEAP_FUZZ_SEED=$${HEAP_FUZZ_SEED:-$$RANDOM} \
		python -m pytest -q --timeout=3600 tests/emulators/test_heap_fuzz.py
	@python -m pytest -q --hypothesis-profile=fuzz -m "hypothesis" --timeout=3600

docs: install ## Write the generated pages of docs/ and the dashboards of deploy/grafana/ anew
	@python -m memfleet.docs
	@python -m memfleet.grafana

pictures: install ## Take the pictures of the documents anew: of a running page, of what the judge tells
	@python -m tests.browser.pictures
	@cd bench && python -m detection.pictures ../docs/images

clean: ## Remove everything that was built here, .venv too
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

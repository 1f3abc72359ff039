# `make help` lists what there is. Everything is set up on the way: system packages by apt or dnf,
# a virtual environment in .venv, the package in it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EBPROF := $(BIN)/ebprof
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
SOURCES := pyproject.toml setup.py $(wildcard native/* ebprof/*/*.[ch])
PREFIX ?= /usr/local
DEMO_SECONDS ?= 10
FUZZ_SECONDS ?= 60
CRASHES ?= 200
POWER_CUTS ?= 50
HOURS ?= 1
VM_KERNELS ?= 5.10 6.1 6.12 7.2
VM_TESTS ?= -m vm tests/live
VM_SECONDS ?= 5400
VM_CI_TESTS := \
	tests/live/test_split.py::test_functions_have_their_share[default] \
	tests/live/test_kernel.py::test_system_calls_lead_back_to_main[read-read_zeros] \
	tests/live/test_depth.py::test_every_frame_is_there \
	tests/live/test_processes.py::test_command_from_its_first_instruction \
	tests/live/test_old_kernel.py::test_deeper_stacks_keep_their_innermost_frames_and_say_so \
	tests/live/test_old_kernel.py::test_system_calls_lead_back_to_main[getppid-ask_parent] \
	tests/live/traffic/test_namespaces.py::test_hosts_on_a_switch[fentry-4] \
	tests/live/traffic/test_namespaces.py::test_hosts_on_a_switch[kprobe-6] \
	tests/live/traffic/test_overflow.py::test_after_a_drain_there_is_room_again[fentry] \
	tests/live/traffic/test_overflow.py::test_after_a_drain_there_is_room_again[kprobe]
VM_CI_PROGRAMS := recursion split syscalls
PROOF_KERNELS ?= 5.10 6.1 6.12 7.2

# Processes start a thousand times in the tests: what Python compiles is kept, whatever a shell says.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: run
run: $(VENV)/.installed build/demo ## Profile a demo program: hottest functions, and flame.html
	$(EBPROF) profile -o build/demo.pb.gz -- build/demo $(DEMO_SECONDS)
	$(EBPROF) report build/demo.pb.gz -f table
	$(EBPROF) flame build/demo.pb.gz -o flame.html

.PHONY: serve
serve: $(VENV)/.installed-serve build/demo ## Watch a demo, redis and its callers until Ctrl-C; says what to ask
	$(BIN)/python -m scripts.serve

.PHONY: test
test: $(VENV)/.installed-test ## Run all tests, unit and live (root); what fails beside others, once more alone
	-$(BIN)/python -m pytest --collect-only -qq >/dev/null # compiles all tests, once for all processes
	$(BIN)/python -m pytest -n 4 || $(BIN)/python -m pytest --last-failed --last-failed-no-failures none

.PHONY: slow
slow: ## The same, with the rows and the lengths that `make test` leaves out
	EBPROF_SLOW=1 $(MAKE) test

.PHONY: vm
vm: $(VENV)/.installed-test ## Run VM_TESTS under Debian's kernels VM_KERNELS, see docs/vm.md
	PYTHON=$(PYTHON) scripts/system-packages vm
	$(BIN)/python -m tests.vm $(VM_KERNELS:%=--kernel %) --timeout $(VM_SECONDS) $(VM_OPTIONS) -- $(VM_TESTS)

.PHONY: vm-ci
vm-ci: VM_KERNELS := 6.1
vm-ci: VM_TESTS := $(VM_CI_TESTS)
vm-ci: VM_SECONDS := 1200
vm-ci: VM_OPTIONS := --stamp
vm-ci: vm-ci-programs vm ## Run ten tests under one other kernel, and note that they passed

.PHONY: vm-ci-programs
vm-ci-programs: $(VENV)/.installed-test
	$(BIN)/python -m tests.targets $(VM_CI_PROGRAMS)

.PHONY: vm-changed
vm-changed: $(VENV)/.installed-test ## The same, if what faces the kernel has changed since they did
	$(BIN)/python -m tests.vm.stamps 6.1 || $(MAKE) vm-ci

.PHONY: lint
lint: $(VENV)/.installed-test ## Run ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: bench
bench: $(VENV)/.installed-test ## Measure against perf and others; prints ratios
	$(BIN)/python -m bench

.PHONY: fuzz
fuzz: $(VENV)/.installed-test ## Fuzz all that reads foreign bytes, for FUZZ_SECONDS (60) in all
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_OPTIONS)

.PHONY: differential
differential: $(VENV)/.installed-test ## Compare unwind rows with readelf's for all programs here
	$(BIN)/python -m tests.differential

.PHONY: proof
proof: $(VENV)/.installed-test ## Compare every stack with the truth, here and under PROOF_KERNELS
	PYTHON=$(PYTHON) scripts/system-packages vm
	$(BIN)/python -m tests.proof --kernel host $(PROOF_KERNELS:%=--kernel %)

.PHONY: nightly
nightly: VM_OPTIONS := --stamp
nightly: FUZZ_SECONDS := 3600
nightly: slow clickhouse vm proof differential fuzz ## Run what takes hours: those five, and fuzzing for one

.PHONY: crashes
crashes: $(VENV)/.installed-test ## Kill collector, store and agent CRASHES (200) times under load, and cut the power POWER_CUTS (50) times
	EBPROF_CRASHES=$(CRASHES) EBPROF_POWER_CUTS=$(POWER_CUTS) $(BIN)/python -m pytest -s \
		tests/unit/collector/test_crashes.py tests/live/test_agent_crashes.py \
		tests/live/test_power_cut.py

.PHONY: clickhouse
clickhouse: $(VENV)/.installed-test ## Test stores on a server, with a real ClickHouse (178 MB from npm)
	cd tests/clickhouse && npm ci --silent --no-fund --no-audit
	$(BIN)/python -m pytest tests/unit/collector/store/test_remote.py

.PHONY: soak
soak: $(VENV)/.installed-test build/demo ## Run agent and collector for HOURS (1) under load, with faults, and keep books (root)
	$(BIN)/python -m tests.soak --hours $(HOURS) $(SOAK_OPTIONS)

.PHONY: install
install: ## Install for all users: PREFIX/bin/ebprof and its man page, in an environment of its own
	PYTHON=$(PYTHON) scripts/system-packages build
	$(PYTHON) -m venv $(PREFIX)/lib/ebprof
	$(PREFIX)/lib/ebprof/bin/python -m pip install -q --disable-pip-version-check .
	mkdir -p $(PREFIX)/bin $(PREFIX)/share/man/man1
	ln -sf ../lib/ebprof/bin/ebprof $(PREFIX)/bin/ebprof
	ln -sf ../../../lib/ebprof/share/man/man1/ebprof.1 $(PREFIX)/share/man/man1/ebprof.1

.PHONY: uninstall
uninstall: ## Remove what `make install` installed
	rm -rf $(PREFIX)/lib/ebprof $(PREFIX)/bin/ebprof $(PREFIX)/share/man/man1/ebprof.1

.PHONY: docs
docs: $(VENV)/.installed ## Bring the help texts in docs/ up to date
	$(BIN)/python -m scripts.docs

.PHONY: tutorial
tutorial: $(VENV)/.installed-test ## Run the commands of docs/tutorial.md, as root, and write what they print
	$(BIN)/python -m scripts.tutorial

.PHONY: screenshots
screenshots: $(VENV)/.installed-test ## Take pictures of the pages anew, for docs/
	$(BIN)/python -m scripts.screenshots

.PHONY: clean
clean: ## Remove what was built, and the virtual environment
	rm -rf $(VENV) build ebprof/_native*.so ebprof/bpf/*.bpf.o *.egg-info

build/demo: tests/programs/demo.cpp tests/programs/program.h
	mkdir -p build
	g++ -std=c++17 -O2 -g -fomit-frame-pointer -pthread $< -o $@

$(VENV)/bin/python:
	PYTHON=$(PYTHON) scripts/system-packages build
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python $(SOURCES)
	$(PIP) -e .
	$(BIN)/python -m compileall -q ebprof
	touch $@

$(VENV)/.installed-serve: $(VENV)/bin/python $(SOURCES)
	PYTHON=$(PYTHON) scripts/system-packages serve
	$(PIP) -e '.[collector]'
	$(BIN)/python -m compileall -q ebprof
	touch $(VENV)/.installed $@

# All of the above and more, so that a new clone builds once.
$(VENV)/.installed-test: $(VENV)/bin/python $(SOURCES)
	PYTHON=$(PYTHON) scripts/system-packages test
	PYTHON=$(BIN)/python scripts/install-test
	touch $(VENV)/.installed $(VENV)/.installed-serve $@

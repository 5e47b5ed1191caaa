# Two commands: `make run` hears the result, `make test` checks everything.
VENV := .venv
# The first of these that is Python 3.11 or newer and can make an environment; `make PYTHON=…` takes another.
PYTHONS := python3.11 python3.14 python3.13 python3.12 python3
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for each in $(PYTHONS); do $$each -c '$(USABLE)' 2>/dev/null && echo $$each && break; done)
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt
# pip compiles on one core; some packages hold files for other Pythons, which cannot be compiled.
COMPILE := $(VENV)/bin/python -m compileall -qq -j 0 $(VENV)/lib || true

# Compiled modules are kept, whatever the environment of the caller says: each process starts sooner.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run test pytest pytest-model quick books-test slow-test model-test listen listen-test console-test http-test page-test kernel-test lint clean

run: $(VENV)/.run
	$(VENV)/bin/python voxchord.py render examples/radio_play.txt -o out/radio_play.flac

# Much of a test is waiting, so four processes keep two cores busy. Each reckons with one core of its own. The model's
# tests have a process of their own: no other has to import PyTorch.
PYTEST := OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest
SHARED := -n 4 --dist loadfile --no-loadscope-reorder
PART := not slow and not listen and not http and not books
MODEL := pipeline/engines/vibevoice tests/pipeline/engines/vibevoice tests/bench tests/tasks/test_vibevoice.py \
	tests/cli/commands/test_doctor_model.py tests/pipeline/checking/full/test_torch_file.py
NO_MODEL := $(MODEL:%=--ignore=%)
test: $(VENV)/.test
	+$(MAKE) --no-print-directory --jobs 3 pytest-model pytest lint

pytest: $(VENV)/.test
	$(PYTEST) $(SHARED) -m '$(PART)' $(NO_MODEL)

pytest-model: $(VENV)/.test
	$(PYTEST) -q -m '$(PART)' $(MODEL)

# The slow tests of all but the model: kills and brokers in trouble, whole renders, every voice; and properties with
# many inputs.
slow-test: $(VENV)/.test
	$(PYTEST) $(SHARED) --hypothesis-profile full -m '(slow or hypothesis) and not listen and not http and not books' $(NO_MODEL)

# The loop while you work: lint, and the tests that need neither a service nor PyTorch.
quick: $(VENV)/.test lint
	$(PYTEST) -n 2 -q -m '$(PART)' -k 'not postgresql and not s3 and not both_databases' $(NO_MODEL) \
		pipeline db tasks tests/pipeline tests/db tests/golden tests/test_docs.py tests/test_language.py tests/test_layout.py

# All of the model's tests: exactness in every arrangement, memory over many segments, each check of a GPU.
model-test: $(VENV)/.test
	$(PYTEST) $(MODEL) -m 'not listen'

# The models of full verification: a recogniser, a voice activity detector, a speaker encoder. No download.
listen: $(VENV)/.listen

# All tests that hear: verification by these models, word times, renders that are transcribed.
listen-test: $(VENV)/.listen
	$(PYTEST) -m listen

# All tests of books: hostile files, every format of audio read back by mutagen and by ffprobe (Debian: ffmpeg), and
# read-along books checked by epubcheck (Debian: epubcheck).
books-test: $(VENV)/.test
	BOOKS_TEST=1 $(PYTEST) -n 2 tests/books pipeline/books tests/pipeline/stitching

# The console's tests, and those of more than one machine, with what tests/debian.txt lists. None is skipped.
console-test: $(VENV)/.test
	CONSOLE_TEST=1 $(PYTEST) -n 2 --dist loadfile tests/deploy tests/integration tests/tasks/flower tests/faults/test_commands.py

# All tests of the HTTP service: formats, clients that go away, keys, attacks, the lines of docs/http.md. Those of
# OpenAI's client for Node are skipped without Node; HTTP_TEST=1 makes them fail.
http-test: $(VENV)/.test
	$(PYTEST) -n 2 --dist loadfile tests/web web

# The page in a real browser, with what tests/debian.txt lists. Screenshots are in out/page.
page-test: $(VENV)/.test
	CONSOLE_TEST=1 $(VENV)/bin/python -m pytest tests/web/test_page.py tests/web/test_page_browser.py

# The Triton kernels in Triton's interpreter, and compiled for a GPU that is not there. Brings Triton, 190 MB.
kernel-test: $(VENV)/.test
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target build/triton triton==3.6.0 numpy==2.3.5
	PYTHONPATH=build/triton TRITON_INTERPRET=1 $(VENV)/bin/python -m pytest tests/pipeline/engines/vibevoice/kernels/test_triton.py -k interpreter
	PYTHONPATH=build/triton $(VENV)/bin/python -m pytest tests/pipeline/engines/vibevoice/kernels/test_triton.py -k compile

lint: $(VENV)/.test
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

$(VENV)/bin/python:
	@$(or $(PYTHON),false) -c '$(USABLE)' || { echo '$(if $(PYTHON),$(PYTHON) cannot,None of $(PYTHONS) can) be used: Python 3.11' \
		'or newer is needed, with its modules venv and ensurepip (Debian: apt-get install python3-venv)' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) .
	$(COMPILE)
	touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) '.[s3,vibevoice,test]'
	$(COMPILE)
	touch $@ $(VENV)/.run

# Resemblyzer's wheel has the weights of the speaker encoder; its code and its dependencies are not used.
$(VENV)/.listen: $(VENV)/.test
	$(PIP) '.[s3,vibevoice,test,verify,measure]'
	$(PIP) --no-deps resemblyzer
	touch $@

clean:
	rm -rf $(VENV) build out .mypy_cache .ruff_cache .pytest_cache

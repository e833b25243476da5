# Two commands do everything: `make demo` and `make test`. See README.md.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check
TESTED := --constraint constraints.txt
DEMO   := QUIPU_HOME=$(CURDIR)/.demo $(BIN)/quipu

.PHONY: demo run test test-browser check bench library models clean

demo: library
	@echo; echo '— The model reads the English report, once for all questions —'
	$(DEMO) prepare llama-report.pdf
	@echo; echo '— A question in Spanish about the report —'
	$(DEMO) ask "¿Cuántos bytes ocupa un bloque del formato Q4_0 y cuántos bits supone por peso?" \
		--doc llama-report.pdf
	@echo; echo '— A question in French about it —'
	$(DEMO) ask "Que doit afficher celui qui distribue un produit contenant Llama 3.1 ?" \
		--doc llama-report.pdf
	@echo; echo '— The report summarised in French —'
	$(DEMO) summarize llama-report.pdf --lang fr --length short

run: library
	$(DEMO) page

test: $(STAMP) models
	$(BIN)/python -m pytest

test-browser: $(STAMP) models
	$(BIN)/python -m pytest -m browser tests/ui/page/test_browser.py

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# make bench DOC=manual.pdf QUESTIONS=benchmarks/questions/debian-policy.jsonl
bench: $(STAMP) models
	$(BIN)/python benchmarks/cited_pages.py $(DOC) $(QUESTIONS)

library: $(STAMP) models
	$(DEMO) add sample_docs

models: $(STAMP)
	$(BIN)/quipu models pull starter multilingual-e5-small

# The installation, made anew when what is to be installed has changed.
$(STAMP): pyproject.toml constraints.txt
	@sh scripts/preflight.sh $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	@echo 'Building llama.cpp and installing packages: three to five minutes the first time.'
	@CMAKE_ARGS="'-DCMAKE_PROJECT_llama_cpp_INCLUDE=$(CURDIR)/scripts/llama.cmake' $$CMAKE_ARGS" \
	$(PIP) wheel $(TESTED) --no-deps -w $(VENV)/wheels llama-cpp-python & build=$$!; \
	$(PIP) install $(TESTED) torch sentence-transformers chromadb streamlit && wait $$build
	$(PIP) install $(TESTED) --find-links $(VENV)/wheels -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .demo build *.egg-info

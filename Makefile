# LeadFlow on one machine. `make` alone lists the targets.
#
# Needs the Rust toolchain, make and git; scripts/tools.sh finds or fetches the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Cargo's own words while it builds; the profile of everything but the bench.
CARGO ?= cargo
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
LEADFLOW := $(TARGET_DIR)/debug/leadflow

.PHONY: help up down logs demo test fuzz-api letters bean-check webhook-check upgrade-check k8s-check image-check compose-check alert-check bench chaos lint doctor clean tools build

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: tools build ## Start everything on this machine; prints the URLs, a key and a curl line
	@$(LEADFLOW) up

down: ## Stop what `make up` started, and nothing else
	@if [ -x $(LEADFLOW) ]; then $(LEADFLOW) down; else echo "nothing was built, so nothing runs"; fi

logs: build ## Follow the logs of every service
	@$(LEADFLOW) logs

demo: up ## Sell 2,000 leads of a made-up tenant, explain them, check the books
	@$(LEADFLOW) demo

test: tools ## Every test, on private PostgreSQL and nats-server
	$(CARGO) test --workspace --locked --no-fail-fast

# EXAMPLES=… makes more requests, SEED=… others.
fuzz-api: tools build ## Thousands of made-up requests to the API: no answer may be a 5xx or outside the document
	@scripts/tools.sh fuzz
	@scripts/fuzz-api.sh $(LEADFLOW)

# Pictures of all go to .leadflow/letters.
letters: tools build ## Every mail, and the sandbox's text messages, opened in Chromium: phone and desk, light and dark
	@scripts/tools.sh browser
	@home="$$(cd "$${LEADFLOW_HOME:-.leadflow}" && pwd -P)"; \
	  python3 -B scripts/letters/check.py "$$home/tools/chromium" $(LEADFLOW) "$$home/letters"

bean-check: tools ## What the ledger's export looks like to beancount, with postings of every kind
	@scripts/tools.sh beancount
	LEADFLOW_BEAN_CHECK="$$(cd "$${LEADFLOW_HOME:-.leadflow}/tools" && pwd -P)/beancount/bin/bean-check" \
	  $(CARGO) test --locked -p leadflow-billing --test it export::

webhook-check: tools ## What the library of Standard Webhooks says to the signatures of webhooks
	@scripts/tools.sh webhooks
	LEADFLOW_STANDARD_WEBHOOKS="$$(cd "$${LEADFLOW_HOME:-.leadflow}/tools" && pwd -P)/standardwebhooks/bin/python" \
	  $(CARGO) test --locked -p leadflow-notifier --test it -- --exact signatures::webhooks_verify_with_an_independent_library \
	  | awk '{ print } /^test result: ok. 1 passed/ { ran = 1 } END { exit !ran }'

# scripts/upgrade/previous names the release before. It is built once, which takes some minutes.
upgrade-check: tools ## The release before runs under load, and this one takes its place: schema, then replica by replica
	@previous="$$(scripts/upgrade/build.sh $(TARGET_DIR))"; LEADFLOW_PREVIOUS="$$previous" \
	  $(CARGO) test --locked -p leadflow --test system -- --exact --nocapture \
	    upgrade::a_release_takes_the_place_of_the_one_before_under_load \
	  | awk '{ print } /^test result: ok. 1 passed/ { ran = 1 } END { exit !ran }'

k8s-check: ## Build the manifests of k8s/ and check them, and the dashboards, against schemas and our own rules
	@scripts/tools.sh k8s
	@tools="$$(cd "$${LEADFLOW_HOME:-.leadflow}/tools" && pwd -P)"; LEADFLOW_K8S_MODELS="$$tools/k8s/models" \
	  "$$tools/k8s/bin/python" scripts/k8s/check.py "$$tools/kubectl" && \
	  node scripts/grafana/check.mjs deploy/grafana/dashboards "$$tools/k8s/models"

# ENGINE=docker, podman or buildah; BUILD_OPTIONS=what it needs here.
image-check: ## Build the image twice and look into it: the same bytes, no root, no shell, dependencies cached
	@scripts/image/check.sh

# LEADFLOW_IMAGE=an image that is there; else it is built.
compose-check: ## Run docker-compose.yml with three replicas of distribution, and README's first sale on it
	@scripts/compose/check.sh

# ALERTS_LOGS=… is a folder for the processes' logs.
alert-check: tools ## Every alert rule: its cause is made to happen, and a private Prometheus fires it
	@scripts/tools.sh prometheus
	@tools="$$(cd "$${LEADFLOW_HOME:-.leadflow}/tools" && pwd -P)"; \
	  LEADFLOW_PROMETHEUS="$$tools/prometheus" LEADFLOW_PROMTOOL="$$tools/promtool" \
	  $(CARGO) test --locked -p leadflow --test system -- alerts:: --nocapture \
	  | awk '{ print } /^alerts: every rule has fired/ { ran = 1 } END { exit !ran }'

bench: tools ## Speed, as ratios to this machine's own limits (release build)
	$(CARGO) build --release --locked -p leadflow
	@$(TARGET_DIR)/release/leadflow bench $(ARGS)

# CHAOS_SEED=… and CARDS_SEED=… replay a run's decisions.
chaos: tools ## Kill and cut everything under load, then check the books
	CHAOS_FAULTS=$${CHAOS_FAULTS:-40} CARDS_FAULTS=$${CARDS_FAULTS:-40} \
		$(CARGO) test --locked -p leadflow --test system -- chaos cards --test-threads=1 --nocapture

lint: ## Format, clippy, dependency rules, docs
	@scripts/tools.sh build lint
	@scripts/lint.sh

doctor: build ## Check every dependency and say what is wrong
	@$(LEADFLOW) doctor

clean: down ## Stop everything, then remove the build and all local data
	$(CARGO) clean
	rm -rf "$$(readlink -f .leadflow)" .leadflow

tools:
	@scripts/tools.sh build servers

build:
	@$(CARGO) build --locked -p leadflow

# weir's commands. `make test` needs Rust and cc, nothing else.

ARGS ?=
FEATURES ?=
PREFIX ?= /usr/local
DESTDIR ?=
CARGO ?= cargo
# The architectures of `make dist`.
ARCHS ?= x86_64 mipsel aarch64 armv7 riscv64 mips

# What `weir --version` names.
WEIR_COMMIT ?= $(or $(shell git describe --always --dirty 2>/dev/null),unknown)
export WEIR_COMMIT

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

.PHONY: run
run: ## build and serve on :2112; flags in ARGS, as in make run ARGS=--log.level=debug
	$(CARGO) build --release --locked
	exec "$${CARGO_TARGET_DIR:-target}/release/weir" $(ARGS)

.PHONY: test
test: ## the tests
	$(CARGO) test --locked

.PHONY: check
check: ## format, lints, tests, documentation: before every commit
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) test --locked
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

.PHONY: bless
bless: ## write the golden files anew; review the difference as code
	WEIR_BLESS=1 $(CARGO) test --locked

.PHONY: bench
bench: ## weir against node_exporter, ss and cat
	$(CARGO) bench --locked

.PHONY: static
static: ## one static binary for this machine's architecture; FEATURES=tls for one with TLS
	FEATURES="$(FEATURES)" deploy/static/build.sh

.PHONY: dist
dist: ## two tarballs for each of ARCHS in dist/: without and with TLS
	deploy/static/build.sh --dist $(ARCHS)

.PHONY: install
install: ## into $DESTDIR$PREFIX/bin (/usr/local/bin)
	$(CARGO) build --release --locked
	install -D -m 755 "$${CARGO_TARGET_DIR:-target}/release/weir" "$(DESTDIR)$(PREFIX)/bin/weir"

.PHONY: clean
clean: ## remove what was built
	$(CARGO) clean
	rm -rf dist

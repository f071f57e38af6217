# weir's commands. `make test` needs Rust and cc, nothing else.

ARGS ?=
FEATURES ?=
PREFIX ?= /usr/local
DESTDIR ?=
# Where the service's settings are; the unit names it as it is.
SYSCONFDIR = /etc
# A weir that was built already, for install and deb; and deb's architecture.
BINARY ?=
ARCH ?= $(shell uname -m)
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

# Some five hours; `make soak SCRAPES=10000` takes three minutes. PROGRAM is what runs: the static program that `make static`
# leaves, else what cargo builds, whose heap (glibc's) breaks up by some 1100 KiB in the first forty thousand and not by more in
# a hundred thousand: more than is allowed here.
SCRAPES ?= 1000000
PROGRAM ?= $(wildcard target/static/weir-$(shell uname -m))
.PHONY: soak
soak: ## a million scrapes (SCRAPES=N, PROGRAM=static program) while everything around changes; needs root, prints what it cost
	$(if $(PROGRAM),WEIR_SOAK_PROGRAM=$(abspath $(PROGRAM))) WEIR_TEST_REQUIRE_ALL=1 WEIR_SOAK_SCRAPES=$(SCRAPES) \
		$(CARGO) test --release --locked --test live -- --exact soak::much_work_costs_nothing_that_stays --nocapture

.PHONY: static
static: ## one static binary for this machine's architecture; FEATURES=tls for one with TLS
	FEATURES="$(FEATURES)" deploy/static/build.sh

.PHONY: dist
dist: ## two tarballs for each of ARCHS in dist/, without and with TLS, each with the list of its crates (SBOM)
	deploy/static/build.sh --dist $(ARCHS)

.PHONY: reproduce
reproduce: ## build and pack twice in different places and compare bit for bit; ARCHS and FEATURES choose what
	FEATURES="$(FEATURES)" deploy/static/reproduce.sh $(if $(filter file,$(origin ARCHS)),,$(ARCHS))

.PHONY: deny
deny: ## licences, sources, duplicates and known holes of the dependencies, by cargo-deny; fetches the advisories
	.ci/deny

.PHONY: deb
deb: ## a Debian package of the static binary in dist/, by cargo-deb
	deploy/debian/build.sh $(ARCH) $(BINARY)

.PHONY: install
install: ## into PREFIX (/usr/local) below DESTDIR: program, manual, completions, systemd unit; BINARY=FILE instead of a build
	$(if $(BINARY),,$(CARGO) build --release --locked)
	install -D -m 755 "$(or $(BINARY),$${CARGO_TARGET_DIR:-target}/release/weir)" "$(DESTDIR)$(PREFIX)/bin/weir"
	install -D -m 644 deploy/man/weir.8 "$(DESTDIR)$(PREFIX)/share/man/man8/weir.8"
	install -D -m 644 deploy/completions/weir.bash "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/weir"
	install -D -m 644 deploy/completions/_weir "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_weir"
	install -D -m 644 deploy/completions/weir.fish "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/weir.fish"
	install -D -m 644 deploy/weir.yml "$(DESTDIR)$(PREFIX)/share/doc/weir/weir.yml"
	install -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/doc/weir/weir.service.d" deploy/systemd/weir.service.d/*.conf
	install -d "$(DESTDIR)$(PREFIX)/lib/systemd/system"
	sed 's|/usr/bin/weir|$(PREFIX)/bin/weir|' deploy/systemd/weir.service >"$(DESTDIR)$(PREFIX)/lib/systemd/system/weir.service"
	chmod 644 "$(DESTDIR)$(PREFIX)/lib/systemd/system/weir.service"
	test -e "$(DESTDIR)$(SYSCONFDIR)/weir.yml" || install -D -m 644 deploy/weir.yml "$(DESTDIR)$(SYSCONFDIR)/weir.yml"
	test -e "$(DESTDIR)$(SYSCONFDIR)/default/weir" || install -D -m 644 deploy/systemd/weir.default "$(DESTDIR)$(SYSCONFDIR)/default/weir"

.PHONY: uninstall
uninstall: ## remove what install put there, but for /etc/weir.yml and /etc/default/weir
	rm -f "$(DESTDIR)$(PREFIX)/bin/weir" "$(DESTDIR)$(PREFIX)/share/man/man8/weir.8" \
		"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/weir" "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_weir" \
		"$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/weir.fish" "$(DESTDIR)$(PREFIX)/lib/systemd/system/weir.service"
	rm -rf "$(DESTDIR)$(PREFIX)/share/doc/weir"

.PHONY: clean
clean: ## remove what was built
	$(CARGO) clean
	rm -rf dist

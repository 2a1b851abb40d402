# agentsh: build, demo, test, bench, install. Every target may be run again.

PREFIX  ?= /usr
DESTDIR ?=
CARGO   ?= cargo
TARGET   = $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
MUSL     = $(shell rustc -vV 2>/dev/null | sed -n 's/^host: \([^-]*\).*/\1-unknown-linux-musl/p')

PROGRAMS := agentsh agentsh-ptyd agentsh-shell-shim
SHELLS   := bash sh zsh dash
SCOPES   := user system
UNITS    := agentsh-ptyd.socket agentsh-ptyd.service

# Each cargo has all processors: they do not share the two jobs of make.
unexport MAKEFLAGS MFLAGS

.PHONY: build build-tests setup setup-test demo test bench install uninstall clean

# bin/ holds the three programs. The shim is static: it starts before any loader could be pointed elsewhere. With
# musl it starts sooner, since glibc asks the processor for its caches first, which is slow in a virtual machine.
build: setup
	$(CARGO) build --release -p agentsh-shell -p agentsh-ptyd
	mkdir -p bin
	if [ -d "$$(rustc --print target-libdir --target $(MUSL))" ]; then \
	    $(CARGO) build --profile shim -p agentsh-shell-shim --target $(MUSL) && \
	    install -m 0755 target/$(MUSL)/shim/agentsh-shell-shim bin/; \
	else \
	    $(CARGO) build --profile shim -p agentsh-shell-shim --target $(TARGET) \
	        --config 'target.$(TARGET).rustflags=["-C","target-feature=+crt-static"]' && \
	    install -m 0755 target/$(TARGET)/shim/agentsh-shell-shim bin/; \
	fi
	install -m 0755 target/release/agentsh target/release/agentsh-ptyd bin/

setup:
	@docs/setup.sh build

setup-test: setup
	@docs/setup.sh test

demo: build
	@docs/demo.sh

# The programs and the tests are built side by side, each of which alone leaves a processor idle for a third of the time.
# So do the tests, which wait for one another's processes: two run for each processor.
test: setup setup-test
	$(MAKE) -j2 CARGO='$(CARGO)' build build-tests
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-$$((2 * $$(nproc)))} $(CARGO) test --workspace --tests --no-fail-fast

# The programs take longer, crate after crate: what is idle is the tests'.
build-tests: setup
	nice $(CARGO) test --workspace --tests --no-run

bench: build setup-test
	$(CARGO) build --release -p agentsh-tests --bins
	$(CARGO) run --release -p agentsh-tests --bin bench

install: build
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/agentsh/shims
	install -m 0755 $(addprefix bin/,$(PROGRAMS)) $(DESTDIR)$(PREFIX)/bin/
	for shell in $(SHELLS); do \
	    ln -sf ../../../bin/agentsh-shell-shim $(DESTDIR)$(PREFIX)/lib/agentsh/shims/$$shell; done
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions \
	    $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 0644 completions/generated/agentsh.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/agentsh
	install -m 0644 completions/generated/_agentsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_agentsh
	install -m 0644 completions/generated/agentsh.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/agentsh.fish
	install -m 0644 completions/generated/man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -d $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	install -m 0644 ptyd/units/agentsh.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/agentsh.conf
	[ -n "$(DESTDIR)" ] || [ "$$(id -u)" != 0 ] || install -d -m 1777 /run/agentsh
	for scope in $(SCOPES); do \
	    install -d $(DESTDIR)$(PREFIX)/lib/systemd/$$scope; \
	    for unit in $(UNITS); do \
	        sed 's|@PREFIX@|$(PREFIX)|' ptyd/units/$$scope/$$unit > $(DESTDIR)$(PREFIX)/lib/systemd/$$scope/$$unit; \
	        chmod 0644 $(DESTDIR)$(PREFIX)/lib/systemd/$$scope/$$unit; done; done

uninstall:
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/bin/,$(PROGRAMS))
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/lib/agentsh/shims/,$(SHELLS))
	-rmdir $(DESTDIR)$(PREFIX)/lib/agentsh/shims $(DESTDIR)$(PREFIX)/lib/agentsh
	rm -f $(DESTDIR)$(PREFIX)/share/bash-completion/completions/agentsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_agentsh \
	    $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/agentsh.fish
	rm -f $(patsubst completions/generated/man/%,$(DESTDIR)$(PREFIX)/share/man/man1/%,$(wildcard completions/generated/man/*.1))
	rm -f $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/agentsh.conf
	rm -f $(foreach scope,$(SCOPES),$(addprefix $(DESTDIR)$(PREFIX)/lib/systemd/$(scope)/,$(UNITS)))

clean:
	$(CARGO) clean
	rm -rf bin

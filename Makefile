# SPDX-License-Identifier: GPL-2.0
# What a person types; `make help` lists it. Kbuild has what the kernel's build system reads.

# Parameters, all optional; the scripts take them from the environment.
export RPACKET_CACHE KERNEL TESTS SEED SLEEPS NICS MODULES MINUTES BASELINE V JOBS

CMD ?=
S := scripts

.PHONY: all modules modules_install clean distclean install uninstall demo vm test test-full soak \
	bench check help

all: modules

# With KDIR, a kernel tree that is prepared for Rust modules, Kbuild runs in place with the caller's
# own toolchain. Without, the build root builds for the running kernel if that is the stock kernel
# that it has, or for the kernel that KERNEL= names.
modules:
	@exec $(S)/modules build
modules_install:
	@exec $(S)/modules install
install:
	@exec $(S)/modules install-all
uninstall:
	@exec $(S)/modules uninstall

clean:
	@exec $(S)/modules clean
distclean: clean
	@exec $(S)/root clean

demo:
	@exec $(S)/demo
vm:
	@exec $(S)/vm --check $(if $(CMD),-- "$$CMD")
	@exec $(S)/build sniffer
	@exec $(S)/vm $(if $(CMD),-- "$$CMD")
test:
	@exec $(S)/test
test-full:
	@exec $(S)/test --full
check:
	@exec $(S)/check
soak:
	@exec $(S)/soak
bench:
	@exec $(S)/bench

export CMD KDIR CLIPPY INSTALL_MOD_PATH INSTALL_MOD_DIR DESTDIR

help:
	@echo 'make demo             from nothing to packets: build, boot a VM with an RTL8139, real traffic'
	@echo '                      over it, captured through our family; writes build/demo.pcapng'
	@echo 'make test             host tests, all selftests in the VM on the stock kernel, and chosen ones on'
	@echo '                      the debug kernel; KERNEL=stock|debug|rt: all of them on that one alone;'
	@echo '                      TESTS=pattern picks (from those on stock, unless KERNEL= is said)'
	@echo 'make test-full        all tests on every kernel, in their long forms; hours'
	@echo 'make vm               a shell in the VM, modules loaded; CMD="..." runs one command there'
	@echo 'make check            rustfmt, clippy, checkpatch, shellcheck, rustdoc, the unsafe ledger'
	@echo 'make                  both modules for the running kernel; KDIR=tree: for that kernel;'
	@echo '                      KERNEL=stock|debug|rt: for one of the VM; V=1, CLIPPY=1 as usual'
	@echo 'make modules_install  install them where depmod finds them (INSTALL_MOD_PATH, INSTALL_MOD_DIR)'
	@echo 'make install          modules, rpsniff and man pages on this machine (DESTDIR)'
	@echo 'make uninstall        take them away again'
	@echo 'make bench            ours against the C originals: accesses, instructions, rates, loss, sizes; a'
	@echo '                      report with pictures; BASELINE=file compares with an earlier counts.csv'
	@echo 'make soak             storms of everything for MINUTES=n (15), memory and references over time,'
	@echo '                      which must stay flat; KERNEL=stock|debug; writes build/soak/report.html'
	@echo 'make clean            delete what was built; make distclean: the cached root and kernels too'
	@echo
	@echo 'The build root and kernels are kept in $${RPACKET_CACHE:-~/.cache/rpacket}; V=1 shows all output.'

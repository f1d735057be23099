# SPDX-License-Identifier: MIT
#
# The front door. meson.build says how things are built; scripts/ has what these targets do.

PREFIX  ?= /usr/local
DESTDIR ?=
SUITE   ?= bookworm

all: configured
	@ninja -C build product

configured:
	@[ -e build/build.ninja ] || scripts/setup build
	@scripts/configure build

# One file that needs no other and has all of the program, for containers.
static: configured
	@ninja -C build curfew-static

demo: all
	@scripts/setup demo
	@sh examples/demo.sh build/curfew

check:
	@scripts/setup check
	@scripts/check

# The same on other kernels, which qemu boots: 15 minutes on a quiet machine with two CPUs.
check-kernels: all
	@scripts/setup kernels
	@ninja -C build meson-test-prereq bench/tree >/dev/null
	@scripts/check-kernels

# The same on a new Debian, in a folder.
check-debian:
	@scripts/setup debian
	@scripts/check-debian $(SUITE)

# The tests that play the same many times, 10,000 times.
soak: all
	@scripts/setup check
	CURFEW_ROUNDS=10000 meson test -C build --suite rounds --timeout-multiplier 0 --verbose

bench: all
	@scripts/setup bench
	@scripts/configure build
	@bench/run

format:
	@scripts/sources | xargs clang-format -i

install:
	@scripts/install "$(PREFIX)" "$(DESTDIR)"

clean:
	rm -rf build

.PHONY: all configured static demo check check-kernels check-debian soak bench format install clean

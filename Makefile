# SPDX-License-Identifier: MIT
#
# The front door. meson.build says how things are built; scripts/ has what these targets do.

PREFIX  ?= /usr/local
DESTDIR ?=

all: build/build.ninja
	@ninja -C build product

build/build.ninja:
	@scripts/setup build
	meson setup build

demo: all
	@scripts/setup demo
	@sh examples/demo.sh build/curfew

check:
	@scripts/setup check
	@scripts/check

bench: all
	meson test -C build --benchmark --verbose

format:
	@scripts/sources | xargs clang-format -i

install: all
	meson configure build -Dprefix=$(abspath $(PREFIX))
	DESTDIR=$(DESTDIR) meson install -C build

clean:
	rm -rf build

.PHONY: all demo check bench format install clean

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test-subproject.sh SOURCE: curfew in another project of meson's, which asks for it by the name that
# pkg-config has, and wants everything that it builds with to be static, and every feature to be there,
# as those do who make packages. The option of ours that wants a second C library is no such feature.
set -u

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
failures=0

fail() {
        failures=$((failures + 1))
        echo "failed: $*"
}

mkdir "$dir/subprojects" "$dir/found"
ln -s "$1" "$dir/subprojects/curfew"
cat >"$dir/meson.build" <<'MESON'
project('user', 'c', meson_version: '>=1.0')
executable('user', 'main.c', dependencies: dependency('libcurfew', fallback: 'curfew'))
MESON
cat >"$dir/main.c" <<'C'
#include <curfew.h>

int main(void) {
        static const char *const argv[] = { "true", 0 };
        struct curfew_cmd cmd = { .argv = argv };
        struct curfew_result result;
        int r = curfew_run(0, &cmd, &result);

        return r < 0 ? 1 : result.code;
}
C
# A musl-gcc that is not to be found, wherever there is one.
printf "[binaries]\nmusl-gcc = '/nonexistent'\n" >"$dir/no-musl"

try() {
        "$@" >"$dir/log" 2>&1 || { cat "$dir/log" && exit 1; }
}

export PKG_CONFIG_LIBDIR="$dir/none" # no curfew that is installed
try meson setup "$dir/build" "$dir" --native-file "$dir/no-musl" -Dauto_features=enabled \
        -Ddefault_library=static -Dcurfew:full_program=disabled
try meson compile -C "$dir/build"
"$dir/build/user" || fail "the program that was built with it: status $?"
[ -z "$(find "$dir/build" -name 'libcurfew.so*')" ] || fail 'there is a shared library'
[ "$(meson introspect --tests "$dir/build")" = '[]' ] || fail 'there are tests'
[ -z "$(find "$dir/build/subprojects/curfew" -name test -o -name bench -o -name examples)" ] ||
        fail 'there is more than what a project wants'

[ "$failures" -eq 0 ]

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test-install.sh BUILD: what `make install` puts in place is whole, and can be built with as its
# users do: by pkg-config, by CMake, and as an archive.
set -u

build=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
failures=0

fail() {
        failures=$((failures + 1))
        echo "failed: $*"
}

# have COMMAND: that it is there, or note that it isn't.
missing=
have() {
        command -v "$1" >/dev/null || { missing="$missing $1" && return 1; }
}

# try WHAT COMMAND…: it must work; what it says is shown where it doesn't.
try() {
        what=$1
        shift
        "$@" >"$dir/log" 2>&1 || { fail "$what" && cat "$dir/log"; }
}

meson install -C "$build" --no-rebuild --quiet --destdir "$dir/dest" >"$dir/log" 2>&1 ||
        { cat "$dir/log" && exit 1; }
prefix=$(find "$dir/dest" -name curfew.h -printf '%h' | sed 's:/include$::')

for file in bin/curfew libexec/curfew/curfew-keeper include/curfew.h lib/libcurfew.a lib/libcurfew.so lib/libcurfew.so.0 \
        lib/pkgconfig/libcurfew.pc lib/cmake/curfew/curfewConfig.cmake \
        lib/cmake/curfew/curfewConfigVersion.cmake share/man/man1/curfew.1 \
        share/man/man5/curfew-report.5 share/curfew/report.schema.json \
        share/man/man3/libcurfew.3 share/bash-completion/completions/curfew \
        share/zsh/site-functions/_curfew share/fish/vendor_completions.d/curfew.fish; do
        [ -s "$prefix/$file" ] || fail "$file is not installed"
done

### A program built with it.

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
cat >"$dir/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.20)
project(user C)
find_package(curfew 0.1 REQUIRED)
add_executable(shared main.c)
target_link_libraries(shared curfew::curfew)
add_executable(static main.c)
target_link_libraries(static curfew::static)
CMAKE

if have pkg-config; then
        flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --define-variable=prefix="$prefix" \
                --cflags --libs libcurfew)
        # shellcheck disable=SC2086 # several words
        try 'build by pkg-config' cc -o "$dir/by-pkg-config" "$dir/main.c" $flags
        try 'run what was built by pkg-config' env LD_LIBRARY_PATH="$prefix/lib" "$dir/by-pkg-config"
fi
try 'build with the archive' cc -o "$dir/by-archive" -I"$prefix/include" "$dir/main.c" \
        "$prefix/lib/libcurfew.a" -pthread
try 'run what was built with the archive' "$dir/by-archive"
if have cmake; then
        try 'configure by CMake' cmake -S "$dir" -B "$dir/by-cmake" -DCMAKE_PREFIX_PATH="$prefix"
        try 'build by CMake' cmake --build "$dir/by-cmake"
        try 'run what was built by CMake' "$dir/by-cmake/shared"
        try 'run what was linked by CMake' "$dir/by-cmake/static"
        sed -i 's/curfew 0.1/curfew 0.2/' "$dir/CMakeLists.txt"
        ! cmake -S "$dir" -B "$dir/later" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null 2>&1 ||
                fail 'CMake takes it for a version that it is not'
fi

### Manual pages are well formed, and name every function and option.

for page in "$prefix"/share/man/man*/*; do
        have groff || break
        groff -Kutf8 -man -Tutf8 -ww -z "$page" >"$dir/log" 2>&1
        [ ! -s "$dir/log" ] || { fail "$(basename "$page"):" && cat "$dir/log"; }
done
for name in $(nm -D --defined-only "$prefix/lib/libcurfew.so" | sed -n 's/.* [^A] \(curfew[^@]*\).*/\1/p'); do
        grep -q "$name(" "$prefix/share/man/man3/libcurfew.3" || fail "libcurfew(3) lacks $name()"
done

# Options stand in the manual page as \-\-name, in fish's completion as -l name.
for name in $("$prefix/bin/curfew" --help | grep -o -- '--[a-z0-9-]*' | sort -u); do
        word=${name#--}
        grep -qF -- "$(printf %s "$name" | sed 's/-/\\-/g')" "$prefix/share/man/man1/curfew.1" ||
                fail "curfew(1) lacks $name"
        for file in bash-completion/completions/curfew zsh/site-functions/_curfew; do
                grep -q -- "$name\([^a-z-]\|$\)" "$prefix/share/$file" || fail "$file lacks $name"
        done
        grep -q -- "-l $word " "$prefix/share/fish/vendor_completions.d/curfew.fish" ||
                fail "curfew.fish lacks $name"
done

### Completions, as each shell makes them.

# completes WORDS EXPECTED: by $complete, which prints what the last of the words could become.
completes() {
        $complete "$1" >"$dir/log" 2>&1
        grep -qx -- "$2" "$dir/log" || fail "$complete '$1': $(head -n 5 "$dir/log"), not $2"
}

by_bash() {
        bash -c '. "$1"/share/bash-completion/completions/curfew
                compopt() { :; }
                read -r -a COMP_WORDS <<<"${2//=/ = }"
                [[ $2 != *" " ]] || COMP_WORDS+=("")
                COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
                _curfew
                printf "%s\n" "${COMPREPLY[@]}"' bash "$prefix" "$1"
}

by_fish() {
        fish -c "source '$prefix/share/fish/vendor_completions.d/curfew.fish'; complete -C '$1'" |
                cut -f 1
}

for complete in by_bash by_fish; do
        have "${complete#by_}" || continue
        completes 'curfew --le' --leave
        completes 'curfew le' left
        completes 'curfew -s I' INT
        completes 'curfew 10 mkfif' mkfifo
        completes 'curfew -k 5 10 mkfif' mkfifo
        completes 'curfew --leave 10 mkfif' mkfifo
        completes 'curfew --init mkfif' mkfifo
done
completes_nothing_in=$(by_bash 'curfew -k ')
[ "$completes_nothing_in" ] || fail 'by_bash: -k has no durations'
have zsh && try 'read the completion for zsh' zsh -n "$prefix/share/zsh/site-functions/_curfew"

[ "$failures" -eq 0 ] || exit 1
[ -z "$missing" ] && exit
echo "skipped: all else has been tried, but there is no$missing"
[ -z "${CURFEW_MUST_WORK:-}" ] || exit 1
exit 77

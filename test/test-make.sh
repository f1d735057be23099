#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test-make.sh SOURCE: `make` as a user does it who is not root, in a folder with blanks in its name: on
# a machine that lacks what it would like to have, and again when it is there; then root's `make
# install`, and the user's `make` again.
set -u

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
failures=0

fail() {
        failures=$((failures + 1))
        echo "failed: $*"
}

tree="$dir/a tree/of mine"
mkdir -p "$tree" "$dir/bin"
tar -C "$1" --exclude=./build --exclude=./.git -cf - . | tar -C "$tree" -xf - || exit 1

# The commands of this machine, less what is optional.
for command in /bin/* /usr/bin/* /usr/sbin/* /usr/local/bin/*; do
        case ${command##*/} in
        musl-gcc | *pkg-config | *pkgconf | cmake) ;;
        *) ln -sf "$command" "$dir/bin/" ;;
        esac
done

# make_as_user ARGUMENT…: the user is whoever runs this, but not root.
user=
if [ "$(id -u)" -eq 0 ]; then
        chmod 755 "$dir"
        chown -R 65534:65534 "$dir"
        user='setpriv --reuid=65534 --regid=65534 --clear-groups'
fi
make_as_user() {
        $user env HOME="$dir" "$@" make --no-print-directory -C "$tree" >"$dir/log" 2>&1 ||
                { cat "$dir/log" && exit 1; }
}
says() {
        grep -q -- "$1" "$dir/log" || fail "it does not say '$1': $(head -n 5 "$dir/log")"
}

unset MAKEFLAGS MAKELEVEL
make_as_user PATH="$dir/bin"
says 'apt-get install musl-tools pkg-config libjansson-dev'
says "'curfew show': libjansson-dev"
says 'starts sooner: musl-tools'
[ ! -e "$tree/build/curfew-full" ] || fail 'the full program is built without pkg-config'

make_as_user
"$tree/build/curfew" --report="$dir/report" 10 true || fail 'what is installed later is not taken up'
make_as_user
! grep -q '^\[' "$dir/log" || fail 'it builds once more what is built'

if [ "$user" ]; then
        make --no-print-directory -C "$tree" install PREFIX=/usr/a\ prefix DESTDIR="$dir/dest" \
                >"$dir/log" 2>&1 || { cat "$dir/log" && exit 1; }
        "$dir/dest/usr/a prefix/bin/curfew" --report="$dir/report" 10 true ||
                fail 'what is installed does not work'
        echo >>"$tree/src/public.c"
        make_as_user
        says 'src_public.c.o'
fi
[ -z "$(find "$tree/build/test" -name 'test-*' -type f)" ] || fail 'tests are built, too'

[ "$failures" -eq 0 ]

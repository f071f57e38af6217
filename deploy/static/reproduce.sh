#!/bin/sh
# Proves that a build depends on nothing but the source and the tools: builds the static program twice, in two places that have
# as little in common as possible, packs both and compares bit for bit.
#
#     deploy/static/reproduce.sh [--with PROGRAM] [ARCH…]        this machine's architecture, if none is named
#     FEATURES=tls deploy/static/reproduce.sh aarch64
#
# --with builds once and compares with that PROGRAM instead, which somebody else built from the same commit; of one ARCH.
#
# The two places differ in: the source's directory and how long its name is, the target directory (inside the source, beside
# it), cargo's home, umask, time zone and language. What both have is what the result may depend on: the tracked files, the
# tools, WEIR_COMMIT and SOURCE_DATE_EPOCH (the commit and its time, if they are not given).
#
# It needs what build.sh needs, and builds the way it does. Where cargo-cyclonedx is there, the lists of components are
# compared, too. On a difference it names the first byte and, by readelf, the section in which that is, and ends with 1.
#
# Other variables: those of build.sh; TMPDIR, below which some 500 MB are needed for a while; WEIR_KEEP, a directory that
# keeps what came out.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
features=${FEATURES-}
cargo_home=${CARGO_HOME:-$HOME/.cargo}
work=$(cd "$(mktemp -d)" && pwd)
case ${WEIR_KEEP-} in '' | /*) ;; *) WEIR_KEEP=$PWD/$WEIR_KEEP ;; esac
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

main() {
    given=
    unset WEIR_BUILT
    if [ "${1-}" = --with ]; then
        [ $# -le 3 ] && [ -f "${2-}" ] || die "--with: expected a program and at most one architecture, found: $*"
        given=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
        shift 2
    fi
    cd "$root"
    WEIR_COMMIT=${WEIR_COMMIT:-$(git describe --always --dirty 2>/dev/null || echo unknown)}
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
    export WEIR_COMMIT SOURCE_DATE_EPOCH
    # Once, so that nobody's editor makes the difference.
    tracked | tar -cf "$work/source.tar" --null -T -
    [ $# -gt 0 ] || set -- "$(uname -m | sed 's/^armv[78].*/armv7/')"
    for arch in "$@"; do
        in_the_first_place "$arch"
        in_the_second_place "$arch"
        if [ -n "${WEIR_KEEP-}" ]; then
            mkdir -p "$WEIR_KEEP"
            cp -R "$work/first" "$work/second" "$WEIR_KEEP/"
        fi
        compare "$arch" "$work/first" "$work/second"
        rm -rf "$work/first" "$work/second"
    done
}

in_the_first_place() (
    umask 022
    export LC_ALL=C TZ=UTC WEIR_BUILT="$given"
    build "$1" "$work/a" "$work/a/target" "$work/first"
)

in_the_second_place() (
    umask 077
    export LC_ALL=C.UTF-8 TZ=Pacific/Apia
    mkdir -p "$work/cargo-home"
    for name in "$cargo_home"/*; do
        if [ -e "$name" ]; then ln -sfn "$name" "$work/cargo-home/"; fi
    done
    export CARGO_HOME="$work/cargo-home"
    build "$1" "$work/a-second-place/whose-name-is-longer/weir" "$work/built-beside-the-source" "$work/second"
)

# build ARCH SOURCE TARGET-DIRECTORY RESULTS: what comes out, and nothing else of it stays.
build() {
    mkdir -p "$2" "$4"
    tar -C "$2" -xf "$work/source.tar"
    echo "building in $2"
    if ! CARGO_TARGET_DIR=$3 FEATURES=$features "$2/deploy/static/build.sh" --pack "$1" >"$4/log" 2>&1; then
        tail -n 40 "$4/log" >&2
        die "the build in $2 failed"
    fi
    rm "$4/log"
    cp "$3"/static/weir-* "$4/"
    cp -R "$2/dist" "$4/dist"
    rm -rf "$2" "$3"
}

# The files of the source, with a NUL after each.
tracked() {
    if git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files -z
    else
        find . -path ./target -prune -o -path ./dist -prune -o ! -type d -print0
    fi
}

# compare ARCH DIRECTORY DIRECTORY: every file of one is in the other, and is the same.
compare() {
    differ=
    (cd "$2" && find . -type f | sort) >"$work/names"
    (cd "$3" && find . -type f | sort) | cmp -s - "$work/names" || die "$1: not the same files: $(ls -R "$2" "$3")"
    [ -s "$work/names" ] || die "$1: nothing was built"
    while read -r name; do
        if cmp -s "$2/$name" "$3/$name"; then
            echo "ok: ${name##*/} is the same twice, $(wc -c <"$2/$name") bytes, sha256 $(sha256sum <"$2/$name" | cut -c 1-64)"
        else
            difference "$2/$name" "$3/$name"
            differ=yes
        fi
    done <"$work/names"
    [ -z "$differ" ] || die "$1: not the same twice"
}

difference() {
    echo "DIFFERENT: ${1##*/}: $(wc -c <"$1") and $(wc -c <"$2") bytes, $(cmp -l "$1" "$2" 2>/dev/null | wc -l) of those in both differ"
    first=$(LC_ALL=C cmp "$1" "$2" 2>&1 | sed -n 's/.* \([0-9]*\), line.*/\1/p')
    [ -n "$first" ] || { echo "  one is the beginning of the other" && return; }
    # cmp counts from one.
    offset=$((first - 1))
    echo "  first at offset $offset ($(printf '0x%x' "$offset"))$(section "$1" "$offset")"
    echo "  there: $(bytes "$1" "$offset")"
    echo "  and:   $(bytes "$2" "$offset")"
}

# section FILE OFFSET: in which section of an ELF file that byte is.
section() {
    command -v readelf >/dev/null || { echo ", no readelf to name the section" && return; }
    readelf -SW "$1" 2>/dev/null | sed -n 's/^ *\[ *[0-9]*\] //p' |
        while read -r name type _ offset size _; do
            [ "$type" != NOBITS ] && [ "$type" != NULL ] || continue
            case $offset$size in *[!0-9a-f]*) continue ;; esac
            if [ "$2" -ge $((0x$offset)) ] && [ "$2" -lt $((0x$offset + 0x$size)) ]; then echo ", in section $name"; fi
        done
}

bytes() {
    tail -c +$(($2 + 1)) "$1" | head -c 32 | od -An -c | tr -d '\n'
}

die() {
    echo "reproduce.sh: $*" >&2
    exit 1
}

main "$@"

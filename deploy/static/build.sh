#!/bin/sh
# Builds weir as one static binary for each architecture that is named, and prints where each one is:
#
#     deploy/static/build.sh [--dist] x86_64 mipsel aarch64 armv7 riscv64 mips
#     deploy/static/build.sh --test mips qemu-mips-static
#     FEATURES=tls deploy/static/build.sh x86_64
#
# --dist also packs each with README.md, LICENSE and what installs it (docs/deployment.md) into dist/weir-VERSION-ARCH.tar.gz and writes dist/sha256sums.
# --test builds the tests for one architecture instead (by the way of zig), and runs them with the command that follows.
#
# FEATURES names cargo's features, and the program is then called weir-ARCH-FEATURES. --dist builds each architecture
# without any and with tls, whatever it says.
#
# There are two ways, and WEIR_STATIC_ROUTE (auto, rustup or zig) chooses:
# - rustup: this machine's own architecture, with rustup's ready-made musl target, if it is installed.
# - zig: every architecture. A rustc that has its standard library's source builds that too (-Z build-std), and zig is
#   the linker, the musl libc and the unwinder. Debian's rustc-web, cargo-web and rust-web-src and PyPI's ziglang do.
#
# 32-bit MIPS has no 64-bit atomics and rustc's targets deny them; weir needs them. Here they become calls to zig's
# runtime library: the target is rustc's own with that one limit changed.
#
# Other variables: WEIR_STATIC_RUSTC and WEIR_STATIC_CARGO (/usr/bin/rustc, /usr/bin/cargo), WEIR_ZIG (how to start
# zig), CARGO_TARGET_DIR (target), SOURCE_DATE_EPOCH (the commit's time).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
route=${WEIR_STATIC_ROUTE:-auto}
static_rustc=${WEIR_STATIC_RUSTC:-/usr/bin/rustc}
static_cargo=${WEIR_STATIC_CARGO:-/usr/bin/cargo}
target_dir=${CARGO_TARGET_DIR:-$root/target}
case $target_dir in /*) ;; *) target_dir=$PWD/$target_dir ;; esac

main() {
    dist=
    cd "$root"
    if [ "${1-}" = --test ]; then
        arch=$2
        describe "$arch"
        run_tests "$3"
        return
    fi
    if [ "${1-}" = --dist ]; then
        dist=$root/dist
        shift
    fi
    [ $# -gt 0 ] || set -- "$(machine)"
    mkdir -p "$target_dir/static"
    for arch in "$@"; do
        describe "$arch"
        if [ -z "$dist" ]; then
            build "${FEATURES-}"
        else
            for features in '' tls; do
                build "$features"
                pack "$binary"
            done
        fi
    done
    if [ -n "$dist" ]; then
        (cd "$dist" && sha256sum weir-*.tar.gz >sha256sums)
        echo "$dist/sha256sums"
    fi
}

# build FEATURES: one program, $binary.
build() {
    features=$1
    name=$arch${features:+-$(echo "$features" | tr ', ' '--')}
    if use_rustup; then build_with_rustup; else build_with_zig; fi
    binary=$target_dir/static/weir-$name
    cp "$built" "$binary"
    echo "$binary ($(wc -c <"$binary") bytes)"
}

# What this machine's own binaries are called here.
machine() {
    case $(uname -m) in
        x86_64 | aarch64 | riscv64 | mips) uname -m ;;
        armv7* | armv8l) echo armv7 ;;
        *) die "no static build for $(uname -m): name one of x86_64 mipsel aarch64 armv7 riscv64 mips" ;;
    esac
}

# rustc's and zig's names for an architecture. The processor is the least that rustc's target asks for: zig's plain ARMv7
# has NEON, and its C library would be killed on routers without it (Armada 370, Tegra 2).
describe() {
    case $1 in
        x86_64) target=x86_64-unknown-linux-musl zig_target=x86_64-linux-musl ;;
        aarch64) target=aarch64-unknown-linux-musl zig_target=aarch64-linux-musl ;;
        armv7) target=armv7-unknown-linux-musleabihf zig_target='arm-linux-musleabihf -mcpu=generic+v7a+vfp3d16-neon-d32' ;;
        riscv64) target=riscv64gc-unknown-linux-musl zig_target=riscv64-linux-musl ;;
        mipsel) target=mipsel-unknown-linux-musl zig_target='mipsel-linux-musleabi' ;;
        mips) target=mips-unknown-linux-musl zig_target='mips-linux-musleabi' ;;
        *) die "$1: expected one of x86_64 mipsel aarch64 armv7 riscv64 mips" ;;
    esac
    out=$target_dir/static/$1
}

use_rustup() {
    [ "$route" != zig ] || return 1
    # TLS brings C code, for which zig is the compiler; rustup's target would need musl-gcc.
    [ -z "$features" ] || [ "$route" = rustup ] || return 1
    if [ "$arch" = "$(machine)" ] && command -v rustup >/dev/null &&
        rustup target list --installed 2>/dev/null | grep -qx "$target"; then
        return 0
    fi
    [ "$route" != rustup ] || die "rustup has no target $target: rustup target add $target"
    return 1
}

build_with_rustup() {
    CARGO_TARGET_DIR=$target_dir/static/rustup \
        cargo build --release --locked --target "$target" --bin weir --features "$features"
    built=$target_dir/static/rustup/$target/release/weir
}

build_with_zig() {
    zig_cargo build std,panic_unwind --release --bin weir --features "$features"
    built=$out/$target/release/weir
}

# Not the live tests: under an emulator the kernel is not the program's own. Nor those that start themselves as a server,
# which needs the emulator again.
run_tests() {
    runner=CARGO_TARGET_$(echo "$target" | tr 'a-z-' 'A-Z_')_RUNNER
    # Optimised: under the emulator that saves more than it costs.
    export "$runner=$1" CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=none
    zig_cargo test std,panic_unwind,test --lib
    zig_cargo test std,panic_unwind,test --test it -- --skip http::
}

# zig_cargo COMMAND CRATES ARGUMENT...: cargo for $target, with these crates of the standard library built anew.
zig_cargo() (
    WEIR_ZIG=$(find_zig) || die "$missing"
    [ -x "$static_rustc" ] && [ -x "$static_cargo" ] || die "$missing"
    sysroot=$("$static_rustc" --print sysroot)
    [ -e "$sysroot/lib/rustlib/src/rust/library/std/Cargo.toml" ] || die "$missing"
    mkdir -p "$out"
    export RUSTC_BOOTSTRAP=1 RUSTC="$static_rustc" CARGO="$static_cargo" CARGO_TARGET_DIR="$out"
    export WEIR_ZIG WEIR_ZIG_TARGET="$zig_target"
    # For ring, whose C code and assembler come with the feature tls.
    export TARGET_CC="$here/zig-compile" TARGET_AR="$here/zig-ar"
    CARGO_ENCODED_RUSTFLAGS=$(rustflags)
    export CARGO_ENCODED_RUSTFLAGS
    command=$1
    crates=$2
    shift 2
    case $arch in
        mips*)
            mips_target >"$out/$target.json"
            set -- -Z json-target-spec --target "$out/$target.json" "$@"
            ;;
        *) set -- --target "$target" "$@" ;;
    esac
    # Sorting and the like in their small forms, and no backtraces, which a stripped binary could not name anyway: that is a
    # fifth of the program. Cargo.toml's opt-level "z" for weir's own code is another 84 kB of 1,775 kB.
    "$static_cargo" "$command" --locked -Z build-std="$crates" \
        -Z build-std-features=panic-unwind,optimize_for_size "$@"
)

# The flags, separated as cargo wants them. The builder's own paths stay out of the binary.
rustflags() {
    printf '%s\037' \
        -Ctarget-feature=+crt-static \
        -Clink-self-contained=no \
        "-Clinker=$here/zig-cc" \
        -Clinker-flavor=gcc \
        "--remap-path-prefix=$root=." \
        "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
    # What opt-level "z" (Cargo.toml) leaves as calls, although it is small, becomes part of its callers again: 7 kB more,
    # and a scrape costs about what it does with "s".
    printf '%s\037' -Cllvm-args=-inline-threshold=40
    # Without a frame pointer the unwind tables follow every push and pop, of which opt-level "z" makes many on this
    # processor: 65 kB.
    [ "$arch" != x86_64 ] || printf '%s\037' -Cforce-frame-pointers=yes
    printf '%s' "--remap-path-prefix=$sysroot/lib/rustlib/src/rust=rust"
}

# rustc's own target with 64-bit atomics allowed. It prints one field on each line.
mips_target() {
    "$static_rustc" -Z unstable-options --print target-spec-json --target "$target" |
        sed -e 's/"max-atomic-width": 32/"max-atomic-width": 64/' -e '/"metadata": {/,/}/d' -e '/"is-builtin"/d'
}

find_zig() {
    if [ -n "${WEIR_ZIG-}" ]; then
        echo "$WEIR_ZIG"
    elif command -v zig >/dev/null; then
        echo zig
    else
        for python in "${XDG_CACHE_HOME:-$HOME/.cache}/weir-ci/venv/bin/python" python3; do
            if "$python" -c 'import ziglang' 2>/dev/null; then
                echo "$python -m ziglang"
                return 0
            fi
        done
        return 1
    fi
}

# A tarball is the same for the same content: sorted names, one time, no owner.
pack() {
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    name=weir-$version-$name
    time=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
    rm -rf "$target_dir/static/pack"
    mkdir -p "$dist" "$target_dir/static/pack/$name"
    cp "$1" "$target_dir/static/pack/$name/weir"
    cp README.md SECURITY.md CHANGELOG.md LICENSE "$target_dir/static/pack/$name/"
    mkdir "$target_dir/static/pack/$name/deploy" "$target_dir/static/pack/$name/docs"
    cp docs/*.md docs/page.png "$target_dir/static/pack/$name/docs/"
    cp -R deploy/weir.yml deploy/systemd deploy/openwrt deploy/prometheus deploy/man deploy/completions deploy/kubernetes "$target_dir/static/pack/$name/deploy/"
    if [ -d deploy/grafana ]; then cp -R deploy/grafana "$target_dir/static/pack/$name/deploy/"; fi
    # Whatever the builder's umask: the same modes everywhere.
    find "$target_dir/static/pack/$name" -type f -exec chmod 644 '{}' +
    find "$target_dir/static/pack/$name" -type d -exec chmod 755 '{}' +
    chmod 755 "$target_dir/static/pack/$name/weir" "$target_dir/static/pack/$name/deploy/openwrt/files/weir.init"
    tar -C "$target_dir/static/pack" --format=ustar --sort=name --mtime="@$time" --owner=0 --group=0 --numeric-owner \
        -cf - "$name" | gzip -n9 >"$dist/$name.tar.gz"
    echo "$dist/$name.tar.gz"
}

die() {
    echo "build.sh: $*" >&2
    exit 1
}

missing="install rustup's target (rustup target add $(uname -m)-unknown-linux-musl), or for every architecture: apt-get install rustc-web cargo-web rust-web-src and pip install ziglang"
main "$@"

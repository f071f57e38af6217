#!/bin/sh
# Builds weir as one static binary for each architecture that is named, and prints where each one is:
#
#     deploy/static/build.sh x86_64 mipsel aarch64 armv7 riscv64 mips
#     FEATURES=tls deploy/static/build.sh x86_64
#     deploy/static/build.sh --dist x86_64 mipsel
#     deploy/static/build.sh --test mips qemu-mips-static
#
# FEATURES names cargo's features, and the program is then called weir-ARCH-FEATURES.
#
# --dist builds each architecture without any feature and with tls, whatever FEATURES says, and packs each program with
# README.md, LICENSE and what installs it (docs/deployment.md) into dist/weir-VERSION-ARCH.tar.gz. The crates that it is made
# of are in dist/weir-VERSION-ARCH.cdx.json beside it, by cargo-cyclonedx (CARGO_CYCLONEDX, or on the PATH), and the
# checksums of all in dist/sha256sums. --pack does that for FEATURES alone, and without cargo-cyclonedx leaves the crates
# out. --sbom writes the list of crates alone.
# --test builds the tests for one architecture instead (by the way of zig), and runs them with the command that follows.
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
# zig), CARGO_TARGET_DIR (target), SOURCE_DATE_EPOCH (the commit's time), WEIR_BUILT (a program that was built already, to be
# packed).
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
    cyclonedx=
    cd "$root"
    case ${1-} in
        --test)
            arch=$2
            describe "$arch"
            run_tests "$3"
            return
            ;;
        --dist)
            cyclonedx=$(find_cyclonedx) || die "$missing_cyclonedx"
            dist=both && shift
            ;;
        --pack)
            cyclonedx=$(find_cyclonedx) || echo "build.sh: without a list of components: $missing_cyclonedx" >&2
            dist=one && shift
            ;;
        --sbom)
            cyclonedx=$(find_cyclonedx) || die "$missing_cyclonedx"
            dist=sbom && shift
            ;;
    esac
    [ $# -gt 0 ] || set -- "$(machine)"
    mkdir -p "$target_dir/static"
    [ -z "$dist" ] || mkdir -p dist
    for arch in "$@"; do
        describe "$arch"
        if [ "$dist" != both ]; then
            produce "${FEATURES-}"
        else
            produce ''
            produce tls
        fi
    done
    if [ -n "$dist" ] && [ "$dist" != sbom ]; then
        (cd dist && find weir-* -name '*.tar.gz' -o -name '*.cdx.json' | LC_ALL=C sort | xargs sha256sum >sha256sums)
        echo "$root/dist/sha256sums"
    fi
}

# produce FEATURES: all that was asked for of $arch with these.
produce() {
    features=$1
    name=$arch${features:+-$(echo "$features" | tr ', ' '--')}
    [ "$dist" = sbom ] || build
    [ -z "$dist" ] || [ "$dist" = sbom ] || pack
    [ -z "$cyclonedx" ] || components
}

# One program, $binary.
build() {
    if [ -n "${WEIR_BUILT-}" ]; then
        built=$WEIR_BUILT
    elif use_rustup; then
        build_with_rustup
    else
        build_with_zig
    fi
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
    CARGO_TARGET_DIR=$target_dir/static/rustup CARGO_ENCODED_RUSTFLAGS=$(remapped "$target_dir/static/rustup") \
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
    # Optimised: under the emulator that saves more than it costs.
    export "$(variable RUNNER)=$1" CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=none
    zig_cargo test std,panic_unwind,test --lib
    zig_cargo test std,panic_unwind,test --test it -- --skip http::
}

# What cargo calls a setting of $target in the environment.
variable() {
    echo "CARGO_TARGET_$(echo "$target" | tr 'a-z-' 'A-Z_')_$1"
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
    export "$(variable LINKER)=$here/zig-cc"
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

# The flags, separated as cargo wants them. No path may be among them but what --remap-path-prefix takes away: the text of
# the others becomes part of every symbol's name.
rustflags() {
    printf '%s\037' \
        -Ctarget-feature=+crt-static \
        -Clink-self-contained=no \
        -Clinker-flavor=gcc
    # What opt-level "z" (Cargo.toml) leaves as calls, although it is small, becomes part of its callers again: 7 kB more,
    # and a scrape costs about what it does with "s".
    printf '%s\037' -Cllvm-args=-inline-threshold=40
    # Without a frame pointer the unwind tables follow every push and pop, of which opt-level "z" makes many on this
    # processor: 65 kB.
    [ "$arch" != x86_64 ] || printf '%s\037' -Cforce-frame-pointers=yes
    printf '%s\037' "--remap-path-prefix=$sysroot/lib/rustlib/src/rust=rust"
    remapped "$out"
}

# The builder's own paths stay out of the program: remapped TARGET-DIRECTORY. Of two that fit, rustc takes the later one.
remapped() {
    printf '%s\037' "--remap-path-prefix=$root=." "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
    printf '%s' "--remap-path-prefix=$1=target"
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
    packed=weir-$(version)-$name
    stage=$target_dir/static/pack
    rm -rf "$stage"
    mkdir -p "$stage/$packed/deploy" "$stage/$packed/docs"
    cp "$binary" "$stage/$packed/weir"
    cp README.md SECURITY.md CHANGELOG.md LICENSE "$stage/$packed/"
    cp docs/*.md docs/page.png "$stage/$packed/docs/"
    cp -R deploy/weir.yml deploy/systemd deploy/openwrt deploy/prometheus deploy/man deploy/completions deploy/kubernetes "$stage/$packed/deploy/"
    if [ -d deploy/grafana ]; then cp -R deploy/grafana "$stage/$packed/deploy/"; fi
    # Whatever the builder's umask: the same modes everywhere.
    find "$stage/$packed" -type f -exec chmod 644 '{}' +
    find "$stage/$packed" -type d -exec chmod 755 '{}' +
    chmod 755 "$stage/$packed/weir" "$stage/$packed/deploy/openwrt/files/weir.init"
    LC_ALL=C tar -C "$stage" --format=ustar --sort=name --mtime="@$(time_of_source)" --owner=0 --group=0 --numeric-owner \
        -cf - "$packed" | gzip -n9 >"dist/$packed.tar.gz"
    echo "$root/dist/$packed.tar.gz"
}

# The crates that are part of the program, as CycloneDX: those of Cargo.lock that cargo takes for this target and these
# features, with their licences and checksums. cargo-cyclonedx writes beside Cargo.toml, and leaves out its random serial
# number when it is told the time. It names weir itself by the builder's directory, which is taken out: what follows is
# #weir@VERSION, or #VERSION in a directory that is called weir.
components() {
    listed=weir-$(version)-$name.cdx
    SOURCE_DATE_EPOCH=$(time_of_source) "$cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 --all --no-build-deps \
        --target "$target" --features "$features" --override-filename "$listed"
    sed 's|path+file://[^"#]*#\(weir@\)\{0,1\}|#weir@|' "$listed.json" >"dist/$listed.json"
    rm "$listed.json"
    echo "$root/dist/$listed.json"
}

version() {
    sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1
}

time_of_source() {
    echo "${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}"
}

# On the PATH, where cargo installs, or where .ci/run has put it.
find_cyclonedx() {
    for file in "${CARGO_CYCLONEDX-}" "$(command -v cargo-cyclonedx)" "${CARGO_HOME:-$HOME/.cargo}/bin/cargo-cyclonedx" \
        "${XDG_CACHE_HOME:-$HOME/.cache}"/weir-ci/cargo-cyclonedx-*/bin/cargo-cyclonedx; do
        if [ -x "$file" ]; then
            echo "$file"
            return
        fi
    done
    return 1
}

die() {
    echo "build.sh: $*" >&2
    exit 1
}

missing="install rustup's target (rustup target add $(uname -m)-unknown-linux-musl), or for every architecture: apt-get install rustc-web cargo-web rust-web-src and pip install ziglang"
missing_cyclonedx="the list of components is by cargo-cyclonedx: cargo install cargo-cyclonedx --locked"
main "$@"

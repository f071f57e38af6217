#!/bin/sh
# Packs a static weir into dist/weir_VERSION_ARCHITECTURE.deb and prints where it is:
#
#     deploy/debian/build.sh [ARCH [BINARY]]
#
# ARCH is x86_64, aarch64, armv7, riscv64 or mipsel, and this machine's own if it is not given. Without BINARY it is built by
# deploy/static/build.sh first. cargo-deb does the packing (CARGO_DEB, or on the PATH): cargo install cargo-deb --locked
# What goes in stands in Cargo.toml, [package.metadata.deb].
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
cargo_deb=${CARGO_DEB:-cargo-deb}
target_dir=${CARGO_TARGET_DIR:-$root/target}
case $target_dir in /*) ;; *) target_dir=$PWD/$target_dir ;; esac

main() {
    arch=${1:-$(uname -m)}
    case $arch in
        x86_64 | aarch64) triple=$arch-unknown-linux-gnu ;;
        armv7 | armv7l) arch=armv7 triple=armv7-unknown-linux-gnueabihf ;;
        riscv64) triple=riscv64gc-unknown-linux-gnu ;;
        mipsel) triple=mipsel-unknown-linux-gnu ;;
        *) die "$arch: expected one of x86_64 aarch64 armv7 riscv64 mipsel" ;;
    esac
    command -v "$cargo_deb" >/dev/null || die "no cargo-deb: cargo install cargo-deb --locked"
    binary=${2-}
    if [ -z "$binary" ]; then
        "$root/deploy/static/build.sh" "$arch" >&2
        binary=$target_dir/static/weir-$arch
    fi
    # cargo-deb packs what cargo would have built for that architecture. The names of the C library's targets tell it which
    # of Debian's that is.
    stage=$target_dir/deb
    mkdir -p "$stage/$triple/release" "$root/dist"
    cp "$binary" "$stage/$triple/release/weir"
    cd "$root"
    CARGO_TARGET_DIR=$stage "$cargo_deb" --quiet --no-build --no-strip --target "$triple" --output dist/
}

die() {
    echo "build.sh: $*" >&2
    exit 1
}

main "$@"

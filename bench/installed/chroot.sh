#!/bin/sh
# `up --once` of the executable where there is nothing but glibc: no Node, no shell, no certificates. Needs root.
#   bench/installed/chroot.sh dist/dragonfly-linux-amd64
set -eu
executable=$(realpath "$1")
place=$(mktemp -d /tmp/df-chroot-XXXXXX)
leave() {
  umount "$place/proc" 2>&1 || true
  rm -rf --one-file-system "$place"
}
trap leave EXIT
mkdir -p "$place/tmp" "$place/proc" "$place/dev"
chmod 1777 "$place/tmp"
mount -t proc proc "$place/proc"
mknod -m 666 "$place/dev/null" c 1 3
cp "$executable" "$place/dragonfly"
# The libraries that the loader names, of which all but libstdc++ and libgcc are glibc's; and the rest of glibc, which native parts name.
libraries=$(ldd "$executable" | grep -o '/[^ )]*' | sort -u)
glibc=$(dirname "$(printf '%s\n' "$libraries" | grep '/libc\.so')")
for library in $libraries "$glibc"/librt.so.1 "$glibc"/libresolv.so.2 "$glibc"/libnss_files.so.2 "$glibc"/libnss_dns.so.2; do
  mkdir -p "$place$(dirname "$library")"
  cp -L "$library" "$place$library"
done
echo "in it: $(cd "$place" && find . -xdev -type f | sort | tr '\n' ' ')"
env -i HOME=/tmp "$(command -v chroot)" "$place" /dragonfly --version
env -i HOME=/tmp "$(command -v chroot)" "$place" /dragonfly up --once

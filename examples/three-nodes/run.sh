#!/bin/sh
# A scheduler, a seed peer and a peer from their configuration files; the peer downloads a file.
set -eu
. "$(dirname "$0")/../common.sh"
port=${ORIGIN_PORT:-18080}

# The origin, and 32 MiB in it.
mkdir "$state/www"
head -c 33554432 /dev/urandom >"$state/www/model.bin"
sed "s/18080/$port/" "$here/nginx.conf" >"$state/nginx.conf"
background nginx nginx -p "$state" -c nginx.conf -e error.log
until_true nginx answers "http://127.0.0.1:$port/"

# All on one machine: each gets ports and directories of its own, above those of the file.
service scheduler scheduler --config "$here/scheduler.yaml" --set server.port=0 --set "server.cacheDir=$state/scheduler"
daemon() {
  service "$1" dfdaemon --config "$here/$1.yaml" --set "scheduler.netAddrs=[{addr: '$(address scheduler grpc)'}]" \
    --set "dataDir=$state/$1/data" --set "cacheDir=$state/$1/cache" --set "workHome=$state/$1" \
    --set "download.downloadGRPC.unixListen.socket=$state/$1/dfdaemon.sock" \
    --set download.peerGRPC.tcpListen.port=0 --set upload.tcpListen.port=0 \
    --set proxy.tcpListen.port=0 --set health.tcpListen.port=0 --set metrics=127.0.0.1:0
}
mkdir -m 700 "$state/seed" "$state/peer"
daemon seed
daemon peer

url=http://127.0.0.1:$port/model.bin
expected=$(sha256sum "$state/www/model.bin" | cut -d ' ' -f 1)
"$DRAGONFLY" dfget --endpoint "$state/peer/dfdaemon.sock" --digest "sha256:$expected" --receipt -O "$state/out" "$url"
got=$(sha256sum "$state/out" | cut -d ' ' -f 1)
[ "$got" = "$expected" ] || fail "sha256 is $got, not $expected"
echo "sha256 $got"

# Again, and by the seed: nothing more comes from the origin.
"$DRAGONFLY" dfget --endpoint "$state/peer/dfdaemon.sock" -O "$state/again" "$url"
"$DRAGONFLY" dfget --endpoint "$state/seed/dfdaemon.sock" -O "$state/by-seed" "$url"
cmp "$state/out" "$state/again" && cmp "$state/out" "$state/by-seed"
asked=$(grep -c '^GET /model.bin 20' "$state/access.log")
sent=$(awk '/^GET \/model.bin 20/ { sum += $4 } END { print sum }' "$state/access.log")
[ "$asked" = 1 ] && [ "$sent" = 33554432 ] || fail "the origin was asked $asked times and sent $sent bytes"
echo "the origin was asked once and sent $sent bytes"

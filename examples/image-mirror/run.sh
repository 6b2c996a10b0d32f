#!/bin/sh
# Two nodes pull one image by way of their mirrors; the registry gives each layer once.
set -eu
. "$(dirname "$0")/../common.sh"
port=${REGISTRY_PORT:-15000}
registry=127.0.0.1:$port

sed -e "s/15000/$port/" -e "s#/var/lib/docker-registry#$state/registry#" "$here/registry.yml" >"$state/registry.yml"
background registry docker-registry serve "$state/registry.yml"
until_true registry answers "http://$registry/v2/"

# An image of one layer, pushed as any other.
head -c 16777216 /dev/urandom >"$state/weights"
umoci init --layout "$state/image"
umoci new --image "$state/image:1"
umoci insert --rootless --image "$state/image:1" "$state/weights" /weights
skopeo copy --quiet --dest-tls-verify=false "oci:$state/image:1" "docker://$registry/app:1"

service scheduler scheduler --config "$here/../three-nodes/scheduler.yaml" --set server.port=0 \
  --set "server.cacheDir=$state/scheduler"
sed "s/15000/$port/" "$here/dfdaemon.yaml" >"$state/dfdaemon.yaml"
for node in one two; do
  mkdir -m 700 "$state/$node"
  service "$node" dfdaemon --config "$state/dfdaemon.yaml" --set "host.hostname=$node" \
    --set "scheduler.netAddrs=[{addr: '$(address scheduler grpc)'}]" \
    --set "dataDir=$state/$node/data" --set "cacheDir=$state/$node/cache" --set "workHome=$state/$node" \
    --set "download.downloadGRPC.unixListen.socket=$state/$node/dfdaemon.sock" \
    --set download.peerGRPC.tcpListen.port=0 --set upload.tcpListen.port=0 \
    --set proxy.tcpListen.port=0 --set health.tcpListen.port=0 --set metrics=127.0.0.1:0
  # To an engine the mirror is a registry: containerd names it in hosts.toml, see dragonfly setup.
  skopeo copy --quiet --src-tls-verify=false "docker://$(address "$node" proxy)/app:1" "oci:$state/pulled-$node:1"
done

layer=$(find "$state/image/blobs/sha256" -type f -size +1000k -exec basename {} \;)
for node in one two; do
  got=$(sha256sum "$state/pulled-$node/blobs/sha256/$layer" | cut -d ' ' -f 1)
  [ "$got" = "$layer" ] || fail "sha256 of the layer at $node is $got, not $layer"
  echo "$node: sha256 $got"
done
copies=$(grep -c "\"GET /v2/app/blobs/sha256:$layer [^\"]*\" 200 " "$state/registry.log")
[ "$copies" = 1 ] || fail "the registry gave the layer $copies times"
echo "the registry gave the layer once"

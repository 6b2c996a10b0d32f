#!/bin/sh
# Two nodes load one model from a hub: first its header, as a loader does, then all of it. The hub's store sends it once.
set -eu
. "$(dirname "$0")/../common.sh"
port=${HUB_PORT:-17000}

# A file in the form of safetensors: the length of the header, the header, one tensor of 24 MiB.
mkdir -p "$state/www/store" "$state/www/repo"
bytes=25165824
header="{\"weight\":{\"dtype\":\"U8\",\"shape\":[$bytes],\"data_offsets\":[0,$bytes]}}"
model=$state/www/store/model.safetensors
{
  printf "\\$(printf %o ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"
  head -c "$bytes" /dev/urandom
} >"$model"
echo '{"model_type":"tiny"}' >"$state/www/repo/config.json"
size=$(wc -c <"$model" | tr -d ' ')
expected=$(sha256sum "$model" | cut -d ' ' -f 1)
sed -e "s/17000/$port/" -e "s/MODEL_SHA256/$expected/" -e "s/MODEL_SIZE/$size/" "$here/hub.conf" >"$state/hub.conf"
background hub nginx -p "$state" -c hub.conf -e error.log
until_true hub answers "http://127.0.0.1:$port/"

service scheduler scheduler --config "$here/../three-nodes/scheduler.yaml" --set server.port=0 \
  --set "server.cacheDir=$state/scheduler"
for node in one two; do
  mkdir -m 700 "$state/$node"
  service "$node" dfdaemon --config "$here/dfdaemon.yaml" --set "host.hostname=$node" \
    --set "scheduler.netAddrs=[{addr: '$(address scheduler grpc)'}]" \
    --set "doors.huggingface.endpoint=http://127.0.0.1:$port" \
    --set "dataDir=$state/$node/data" --set "cacheDir=$state/$node/cache" --set "workHome=$state/$node" \
    --set "download.downloadGRPC.unixListen.socket=$state/$node/dfdaemon.sock" \
    --set download.peerGRPC.tcpListen.port=0 --set upload.tcpListen.port=0 \
    --set proxy.tcpListen.port=0 --set health.tcpListen.port=0 --set metrics=127.0.0.1:0

  # What transformers, vLLM and others read: export HF_ENDPOINT.
  HF_ENDPOINT=http://$(address "$node" proxy)/hf
  file=$HF_ENDPOINT/org/tiny/resolve/main
  curl -fsS -o "$state/config-$node" "$file/config.json"
  length=$(curl -fsS -r 0-7 "$file/model.safetensors" | od -An -tu1 | awk '{ print $1 + 256 * $2; exit }')
  first=$(curl -fsS -r "8-$((7 + length))" "$file/model.safetensors")
  [ "$first" = "$header" ] || fail "the header at $node is $first"
  curl -fsS -o "$state/model-$node" "$file/model.safetensors"
  got=$(sha256sum "$state/model-$node" | cut -d ' ' -f 1)
  [ "$got" = "$expected" ] || fail "sha256 at $node is $got, not $expected"
  cmp "$state/config-$node" "$state/www/repo/config.json"
  echo "$node: header read, then all of it; sha256 $got"
done

# Some KiB of room: the few bytes a reader waits for may be fetched twice, where that is cheaper than one more request.
sent=$(awk '/^GET \/store\/model.safetensors 20/ { sum += $4 } END { print sum }' "$state/access.log")
[ "$sent" -le $((size + 65536)) ] || fail "the store sent $sent bytes of $size"
echo "the store sent the model once"

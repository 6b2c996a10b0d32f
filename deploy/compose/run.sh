#!/bin/sh
# IP=10.0.0.1 ./run.sh [services…]    writes config/ from template/ where it is not there yet, and starts the services.
#
#   IP                 address of this host that the others reach it by
#   MANAGER_IP         of the manager, or of the balancer before two; by default IP
#   DATABASE_HOST      with DATABASE_USER, DATABASE_PASSWORD, DATABASE_NAME: MySQL or MariaDB that two managers share
#   DRAGONFLY_ENCRYPTION_SECRET    then the same for both managers, 16 characters or more
#   STANDALONE=1       without a manager
#   OTHER_IP           of the second host, for the profile balancer
#   COMPOSE_PROFILES   client, database, balancer
#   CONFIG_ONLY=1      writes the files, and starts nothing
set -eu
cd "$(dirname "$0")"

if [ -z "${IP:-}" ]; then
    echo "run.sh: set IP to the address that other hosts reach this one by: IP=10.0.0.1 ./run.sh" >&2
    exit 2
fi
MANAGER_IP=${MANAGER_IP:-$IP}
OTHER_IP=${OTHER_IP:-$IP}
DATABASE_USER=${DATABASE_USER:-dragonfly}
DATABASE_NAME=${DATABASE_NAME:-manager}

# Values of YAML and of the text that sed puts in.
escaped() { printf '%s' "$1" | sed -e "s/'/''/g" -e 's/[\\&|]/\\&/g'; }

write() {
    if [ -e "config/$2" ]; then
        echo "config/$2 is kept as it is"
        return
    fi
    (umask 027 && sed \
        -e "s|__IP__|$(escaped "$IP")|g" \
        -e "s|__MANAGER_IP__|$(escaped "$MANAGER_IP")|g" \
        -e "s|__OTHER_IP__|$(escaped "$OTHER_IP")|g" \
        -e "s|__HOSTNAME__|$(escaped "$(hostname)")|g" \
        -e "s|__DATABASE_HOST__|$(escaped "${DATABASE_HOST:-}")|g" \
        -e "s|__DATABASE_USER__|$(escaped "$DATABASE_USER")|g" \
        -e "s|__DATABASE_PASSWORD__|$(escaped "${DATABASE_PASSWORD:-}")|g" \
        -e "s|__DATABASE_NAME__|$(escaped "$DATABASE_NAME")|g" \
        "template/$1" >"config/$2.part")
    # The services in the containers are other users.
    chmod 644 "config/$2.part"
    mv "config/$2.part" "config/$2"
    echo "config/$2 was written"
}

mkdir -p config cache data client/cache client/data
chmod 755 config
if [ "${STANDALONE:-}" = 1 ]; then
    file=docker-compose.standalone.yaml
    write scheduler-standalone.template.yaml scheduler.yaml
    write seed-peer-standalone.template.yaml seed-peer.yaml
else
    file=docker-compose.yaml
    if [ -n "${DATABASE_HOST:-}" ]; then write manager-mysql.template.yaml manager.yaml; else write manager.template.yaml manager.yaml; fi
    write scheduler.template.yaml scheduler.yaml
    write seed-peer.template.yaml seed-peer.yaml
    write client.template.yaml client.yaml
    write haproxy.template.cfg haproxy.cfg
fi
[ "${CONFIG_ONLY:-}" != 1 ] || exit 0

if docker compose version >/dev/null 2>&1; then compose='docker compose'; else compose=docker-compose; fi
$compose --file "$file" up --detach "$@"
$compose --file "$file" ps
if [ "${STANDALONE:-}" != 1 ]; then
    echo "Console: http://$IP:8080"
    # Told once, at the first start.
    $compose --file "$file" logs --no-color manager 2>/dev/null | grep -o 'sign in as root with the password .*' || true
fi

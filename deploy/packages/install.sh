#!/bin/sh
# Installs Dragonfly from this directory where there is neither dpkg nor rpm: ./install.sh [--prefix DIR], ./install.sh --remove [--purge]
# Files in /etc/dragonfly that exist stay as they are; the new ones are put beside them as *.new.
set -eu

here=$(CDPATH='' cd "$(dirname "$0")" && pwd -P)
prefix=
action=install
purge=false
while [ $# -gt 0 ]; do
    case $1 in
    --prefix) prefix=${2%/} && shift ;;
    --remove) action=remove ;;
    --purge) purge=true ;;
    *) echo "usage: install.sh [--prefix DIR] [--remove [--purge]]" >&2 && exit 2 ;;
    esac
    shift
done

files() { (cd "$here/files" && find . ! -type d | sed 's#^\./##' | sort); }
running() { [ -z "$prefix" ] && [ -d /run/systemd/system ]; }

if [ -z "$prefix" ] && [ "$(id -u)" != 0 ]; then
    echo "install.sh: run it as root" >&2
    exit 1
fi

if [ "$action" = remove ]; then
    if [ -z "$prefix" ]; then
        for engine in containerd docker podman crio; do
            [ ! -e "/var/lib/dragonfly/setup/setup-$engine.json" ] || dragonfly setup "$engine" --undo
        done
    fi
    for service in dfdaemon seed-peer scheduler manager; do
        ! running || systemctl disable --now "dragonfly-$service.service" >/dev/null 2>&1 || true
    done
    files | while read -r file; do
        case $file in
        etc/*) [ "$purge" = false ] || rm -f "$prefix/$file" "$prefix/$file.new" ;;
        *) rm -f "$prefix/$file" ;;
        esac
    done
    if [ "$purge" = true ]; then
        rm -rf "$prefix/var/lib/dragonfly" "$prefix/var/cache/dragonfly" "$prefix/var/log/dragonfly"
        rmdir "$prefix/etc/dragonfly" 2>/dev/null || true
    fi
    rm -rf "$prefix/usr/share/doc/dragonfly"
    ! running || systemctl daemon-reload
    echo "Dragonfly was removed."
    exit 0
fi

if [ -z "$prefix" ] && ! getent passwd dragonfly >/dev/null; then
    getent group dragonfly >/dev/null || groupadd --system dragonfly
    useradd --system --gid dragonfly --no-create-home --home-dir /var/lib/dragonfly --shell /usr/sbin/nologin dragonfly
fi
files | while read -r file; do
    target=$prefix/$file
    mkdir -p "$(dirname "$target")"
    case $file in
    etc/*) if [ -e "$target" ] && ! cmp -s "$here/files/$file" "$target"; then target=$target.new; fi ;;
    esac
    # In its place at once: the one before may be running.
    cp -P "$here/files/$file" "$target.part"
    mv -f "$target.part" "$target"
    case $file in etc/dragonfly/*) [ -n "$prefix" ] || chgrp dragonfly "$target" ;; esac
done
if running; then
    systemctl daemon-reload
    for service in manager scheduler seed-peer dfdaemon; do
        systemctl try-restart "dragonfly-$service.service" || true
    done
fi
echo "Dragonfly is installed. Start what this machine is to be: systemctl enable --now dragonfly-dfdaemon"

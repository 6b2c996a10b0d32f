/**
 * A machine of its own on this one: a network namespace, and a root file system that is this machine's with all changes in memory.
 * Packages are installed in it by apt, and `systemctl` in it starts the units they bring, without what systemd shuts them off from.
 */
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { NamespaceHost } from '../../test/support/network-namespaces.ts';

const run = promisify(execFile);

/** `enable --now`, `start`, `restart`, `reload` and `is-active` of services; all else is accepted. A process that ends stays away. */
const systemctl = `#!/bin/sh
verb=$1; shift
case "$verb" in enable|start|restart|reload|is-active) ;; *) exit 0 ;; esac
for unit in "$@"; do
  unit=\${unit%.service}
  running=$(cat /run/played/$unit 2>/dev/null)
  case "$verb $unit" in
    *' -'*) continue ;;
    is-active*) kill -0 "$running" 2>/dev/null || exit 3; continue ;;
    reload*) kill -HUP "$running"; continue ;;
  esac
  file=/usr/lib/systemd/system/$unit.service; [ -f "$file" ] || file=/lib/systemd/system/$unit.service
  [ -f "$file" ] || continue
  get() { cat "$file" /etc/systemd/system/$unit.service.d/*.conf 2>/dev/null | sed -n "s/^$1=//p" | tail -n 1; }
  user=$(get User); user=\${user:-root}; group=$(get Group); group=\${group:-$user}
  for place in State:/var/lib Cache:/var/cache Runtime:/run; do
    for name in $(get "\${place%%:*}Directory"); do
      mkdir -p "\${place#*:}/$name"; chown "$user:$group" "\${place#*:}/$name"
    done
  done
  [ -n "$running" ] && kill "$running" 2>/dev/null && sleep 1
  mkdir -p /run/played
  command=$(get ExecStart | sed 's|-H fd://|-H unix:///run/docker.sock|')
  (
    set -a; [ -f /etc/default/dragonfly ] && . /etc/default/dragonfly
    for line in $(cat /etc/systemd/system/$unit.service.d/*.conf 2>/dev/null | sed -n 's/^Environment="\\(.*\\)"$/\\1/p'); do export "$line"; done
    set +a
    setsid setpriv --reuid="$user" --regid="$group" --init-groups sh -c "exec $command" >>/var/log/$unit.log 2>&1 </dev/null &
    echo $! >/run/played/$unit
  )
done
`;

export class Machine implements AsyncDisposable {
  readonly name: string;
  readonly host: NamespaceHost;
  readonly root: string;
  /** As somebody would type them, those that count. */
  readonly commands: string[] = [];
  readonly #directory: string;

  static create(name: string, host: NamespaceHost, directory: string): Machine {
    const machine = new Machine(name, host, directory);
    const { root } = machine;
    mkdirSync(directory, { recursive: true });
    mount('-t', 'tmpfs', '-o', 'size=6g', name, directory);
    for (const path of ['upper', 'work', 'root']) mkdirSync(join(directory, path));
    const layers = `lowerdir=/,upperdir=${directory}/upper,workdir=${directory}/work`;
    mount('-t', 'overlay', '-o', layers, name, root);
    mount('-t', 'proc', 'proc', join(root, 'proc'));
    for (const path of ['dev', 'sys']) {
      mount('--rbind', `/${path}`, join(root, path));
      mount('--make-rslave', join(root, path));
    }
    for (const path of ['run', 'tmp', 'var/lib/docker', 'var/lib/containerd', 'var/lib/containers']) {
      mkdirSync(join(root, path), { recursive: true });
      mount('-t', 'tmpfs', '-o', 'mode=1777', name, join(root, path));
    }
    machine.write('/usr/local/sbin/systemctl', systemctl);
    chmodSync(join(root, 'usr/local/sbin/systemctl'), 0o755);
    return machine;
  }

  private constructor(name: string, host: NamespaceHost, directory: string) {
    this.name = name;
    this.host = host;
    this.root = join(directory, 'root');
    this.#directory = directory;
  }

  write(path: string, content: string): void {
    mkdirSync(join(this.root, path, '..'), { recursive: true });
    writeFileSync(join(this.root, path), content);
  }

  /** One that counts. */
  async type(command: string): Promise<string> {
    this.commands.push(command);
    return this.run(command);
  }

  async run(command: string, timeoutMs = 120_000): Promise<string> {
    const [ip = '', ...enter] = this.host.enter;
    const env = {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      DEBIAN_FRONTEND: 'noninteractive',
    };
    const { stdout } = await run(ip, [...enter, 'chroot', this.root, 'sh', '-c', command], {
      env,
      timeout: timeoutMs,
      maxBuffer: 2 ** 24,
    });
    return stdout;
  }

  /** All that runs on it, at once, as when its power fails. */
  kill(): void {
    const pids = execFileSync('ip', ['netns', 'pids', this.host.namespace], { encoding: 'utf8' });
    for (const pid of pids.split('\n').filter((text) => text !== ''))
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // It has ended with another one.
      }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    // Mounts go when the last process that was killed has.
    for (let attempt = 0; attempt < 20; attempt += 1) {
      try {
        await run('umount', ['--recursive', this.#directory]);
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    }
    await run('umount', ['--recursive', '--lazy', this.#directory]);
  }
}

function mount(...args: readonly string[]): void {
  execFileSync('mount', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

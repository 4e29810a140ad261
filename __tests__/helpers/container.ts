import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { environment, systemPrograms } from './postgres-programs.js';
import { leftAfter, processesMentioning } from './processes.js';

const run = promisify(execFile);

export interface ContainerOptions {
  /** Commands of /usr/bin that the container lacks, for example `zstd`. */
  without?: string[];
  /** As `docker compose` or a swarm set them. */
  labels?: Record<string, string>;
}

/**
 * A PostgreSQL in a container of its own podman, which looks like the official image: the server is process 1, `docker exec` is root, the socket
 * trusts everybody, the client programs are in PATH, POSTGRES_PASSWORD and PGDATA are in the environment. The only network is its own
 * loopback. What it has installed is what this machine has.
 */
export interface PostgresContainer {
  readonly name: string;
  /** The value of DOCKER_HOST: a socket that every user of the machine may use, by `docker` or `podman --remote`. */
  dockerHost: string;
  /** A directory for the PATH of any user: its `docker` is the client of podman and needs no DOCKER_HOST. */
  binDirectory: string;
  password: string;
  /** The file system of the container, without /usr. */
  root: string;
  /** Runs a command inside, as `docker exec -i` does; its output. Throws with what it said when it fails. */
  exec(command: string[], input?: string): Promise<string>;
  /** Runs a script as the superuser `postgres`: rows by line, columns by `|`. Throws with what psql said at the first error. */
  sql(database: string, script: string): Promise<string>;
  /** It is called so from now on, as after a deploy. */
  rename(name: string): Promise<void>;
  /** Starts another container with these labels, which only sleeps. */
  beside(name: string, labels: Record<string, string>): Promise<void>;
  /** The same of an image that has these labels itself. */
  besideOfImage(name: string, labels: Record<string, string>): Promise<void>;
  /** Removes one of those. */
  remove(name: string): Promise<void>;
  /** Removes the container with all in it, and those beside it. */
  stop(): Promise<void>;
}

const DATA = '/var/lib/postgresql/data';

const MAIN = `
set -e
server() { name=$1; shift; exec setpriv --reuid=postgres --regid=postgres --clear-groups "$name" "$@"; }
mkdir -p "$PGDATA" /run/postgresql
chown postgres:postgres "$PGDATA" /run/postgresql
printf %s "$POSTGRES_PASSWORD" >/tmp/password
chown postgres /tmp/password
(server initdb --no-sync --username=postgres --pwfile=/tmp/password --auth=trust --encoding=UTF8 --locale=C.UTF-8)
rm /tmp/password
echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
server postgres -c fsync=off -c shared_buffers=32MB -c autovacuum=off -c unix_socket_directories=/run/postgresql`;

/** Needs root and podman; nothing is downloaded, since /usr of this machine, read-only, is the image. */
export async function startPostgresContainer(options: ContainerOptions = {}): Promise<PostgresContainer> {
  const directory = mkdtempSync(join(tmpdir(), 'dbb-ctr-'));
  chmodSync(directory, 0o755);
  const root = join(directory, 'root');
  const binDirectory = join(directory, 'bin');
  const socket = join(directory, 'socket');
  let name = `dbb-${randomBytes(4).toString('hex')}`;
  const password = randomBytes(8).toString('hex');
  makeRoot(root);
  const env = { ...environment(), ...ownPodman(directory) };
  mkdirSync(binDirectory);
  const client = `#!/bin/sh\nexec podman --remote --url unix://${socket} "$@"\n`;
  writeFileSync(join(binDirectory, 'docker'), client, { mode: 0o755 });
  const absent = join(directory, 'absent');
  writeFileSync(absent, '', { mode: 0o644 });

  const service = spawn('podman', ['system', 'service', '--time=0', `unix://${socket}`], { env, stdio: 'ignore' });
  const serviceEnded = new Promise<void>((resolve) => {
    service.once('exit', () => resolve());
    service.once('error', () => resolve());
  });
  const stop = async () => {
    // Without a message: it may not have come as far as the container.
    await run('podman', ['rm', '-f', '-t', '0', '-a'], { env }).catch(() => {});
    service.kill('SIGKILL');
    await serviceEnded;
    // What watches over each `docker exec` waits for somebody to ask for its exit status, then tidies up in the directory.
    for (const { pid } of processesMentioning(directory)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself in between.
      }
    }
    await leftAfter(() => processesMentioning(directory));
    rmSync(directory, { recursive: true, force: true });
  };

  const exec = async (command: string[], input = '') => {
    const running = run(join(binDirectory, 'docker'), ['exec', '-i', name, ...command], {
      env: environment(),
      maxBuffer: 64 * 1_048_576,
    });
    running.child.stdin?.on('error', () => {}).end(input);
    try {
      return (await running).stdout;
    } catch (error) {
      const { stderr, code } = error as { stderr?: string; code?: number };
      throw new Error(`${command[0]} in ${name} ended with ${code}: ${stderr?.trim()}`);
    }
  };

  try {
    const variables = {
      PATH: `${systemPrograms()}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      LANG: 'C.UTF-8',
      PGDATA: DATA,
      POSTGRES_PASSWORD: password,
    };
    const mounts = ['/usr:/usr:ro', '/etc/alternatives:/etc/alternatives:ro'].concat(
      (options.without ?? []).map((command) => {
        if (!existsSync(`/usr/bin/${command}`)) throw new Error(`${command} is not in /usr/bin of this machine`);
        return `${absent}:/usr/bin/${command}:ro`;
      }),
    );
    await run(
      'podman',
      ['run', '-d', '--name', name, '--network=none', ...labelled(options.labels ?? {})]
        .concat(mounts.flatMap((mount) => ['-v', mount]))
        .concat(Object.entries(variables).flatMap(([key, value]) => ['-e', `${key}=${value}`]))
        .concat('--rootfs', root, 'sh', '-c', MAIN),
      { env },
    );
    const status = join(root, DATA, 'postmaster.pid');
    const ready = () => existsSync(status) && readFileSync(status, 'utf8').split('\n')[7]?.trim() === 'ready';
    for (const end = Date.now() + 30_000; !ready() || !existsSync(socket); await sleep(10)) {
      const { stdout } = await run('podman', ['inspect', '-f', '{{.State.Running}}', name], { env });
      if (stdout.trim() === 'true' && Date.now() < end) continue;
      const said = await run('podman', ['logs', name], { env });
      throw new Error(`the container did not start: ${said.stdout}${said.stderr}`);
    }
    chmodSync(socket, 0o666);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    get name() {
      return name;
    },
    dockerHost: `unix://${socket}`,
    binDirectory,
    password,
    root,
    exec,
    async sql(database, script) {
      const psql = ['psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-U', 'postgres', '-f', '-'];
      const literally = ['env', `PGDATABASE=${database}`, 'PGOPTIONS=-c client_min_messages=warning'];
      return (await exec([...literally, ...psql], script)).replace(/\n$/, '');
    },
    async rename(to) {
      await run('podman', ['rename', name, to], { env });
      name = to;
    },
    async beside(other, labels) {
      const place = join(directory, other);
      makeRoot(place);
      const words = ['run', '-d', '--name', other, '--network=none', '-v', '/usr:/usr:ro', ...labelled(labels)];
      await run('podman', [...words, '--rootfs', place, 'sleep', '600'], { env });
    },
    async besideOfImage(other, labels) {
      const place = join(directory, other);
      makeRoot(place);
      await run('tar', ['-cf', `${place}.tar`, '-C', place, '.']);
      const changes = Object.entries(labels).flatMap(([key, value]) => ['--change', `LABEL ${key}=${value}`]);
      await run('podman', ['import', '-q', ...changes, `${place}.tar`, other], { env });
      const words = ['run', '-d', '--name', other, '--network=none', '-v', '/usr:/usr:ro', other, 'sleep', '600'];
      await run('podman', words, { env });
    },
    async remove(other) {
      await run('podman', ['rm', '-f', '-t', '0', other], { env });
    },
    stop,
  };
}

const labelled = (labels: Record<string, string>): string[] =>
  Object.entries(labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]);

/** Where the container's own files go; /usr is mounted. */
function makeRoot(root: string): void {
  for (const folder of ['usr', 'etc/alternatives', 'proc', 'sys', 'dev', 'run', 'root', 'var/lib/postgresql']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  mkdirSync(join(root, 'tmp'));
  chmodSync(join(root, 'tmp'), 0o1777);
  for (const folder of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${folder}`, join(root, folder));
  symlinkSync('/run', join(root, 'var/run'));
  // As the official image has them.
  const users = ['root:x:0:0:root:/root:/bin/bash', 'postgres:x:999:999::/var/lib/postgresql:/bin/bash'];
  writeFileSync(join(root, 'etc/passwd'), `${users.join('\n')}\n`);
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\npostgres:x:999:\n');
}

/** Settings of a podman that keeps everything in the directory and shares nothing with that of the machine. */
function ownPodman(directory: string): Record<string, string> {
  // podman's usual runtime, crun, refuses hybrid cgroups, and any without the right to lock memory; runc takes all of them.
  const runc = ['/usr/bin/runc', '/usr/sbin/runc'].some((file) => existsSync(file));
  const containers = `[containers]
pids_limit = 0
default_ulimits = ["nofile=1024:4096", "nproc=4096:4096"]
[engine]
${runc ? 'runtime = "runc"' : ''}
cgroup_manager = "cgroupfs"
events_logger = "none"
exit_command_delay = 10
lock_type = "file"
static_dir = "${directory}/libpod"
tmp_dir = "${directory}/tmp"
volume_path = "${directory}/volumes"
`;
  const storage = `[storage]
driver = "vfs"
graphroot = "${directory}/storage"
runroot = "${directory}/run"
`;
  const files = { CONTAINERS_CONF: containers, CONTAINERS_STORAGE_CONF: storage };
  return Object.fromEntries(
    Object.entries(files).map(([variable, text]) => {
      const file = join(directory, `${variable}.toml`);
      writeFileSync(file, text);
      return [variable, file];
    }),
  );
}

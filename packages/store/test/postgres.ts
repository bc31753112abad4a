import { spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface PostgresCluster {
  /** A new, empty database each time. */
  createDatabase(): string;
  stop(): void;
}

/**
 * A PostgreSQL of our own for one test file, in a temporary folder, on a loopback port. As root it runs as the user
 * `postgres`, since it refuses to run as root. Throws, naming what is missing, where PostgreSQL is not installed.
 */
export async function startPostgres(): Promise<PostgresCluster> {
  const binaries = findBinaries();
  const folder = mkdtempSync(join(tmpdir(), "benchtop-postgres-"));
  const data = join(folder, "data");
  const sockets = join(folder, "sockets");
  mkdirSync(sockets);
  if (process.getuid?.() === 0) {
    const [uid, gid] = [idOf("-u"), idOf("-g")];
    for (const path of [folder, sockets]) chownSync(path, uid, gid);
  }
  const port = await freePort();
  run(binaries, "initdb", ["-D", data, "-U", "benchtop", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
  const options = `-c listen_addresses=127.0.0.1 -c port=${port} -c unix_socket_directories=${sockets} -c max_connections=100`;
  run(binaries, "pg_ctl", ["-D", data, "-w", "-t", "60", "-l", join(folder, "log"), "-o", options, "start"]);
  let databases = 0;
  return {
    createDatabase() {
      const name = `benchtop_${++databases}`;
      run(binaries, "createdb", ["-h", "127.0.0.1", "-p", String(port), "-U", "benchtop", name]);
      return `postgres://benchtop@127.0.0.1:${port}/${name}`;
    },
    stop() {
      run(binaries, "pg_ctl", ["-D", data, "-m", "immediate", "-w", "stop"]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const installations = "/usr/lib/postgresql";

function installedVersions(): string[] {
  if (!existsSync(installations)) return [];
  return readdirSync(installations)
    .filter((version) => existsSync(join(installations, version, "bin", "initdb")))
    .sort((a, b) => Number(b) - Number(a));
}

function findBinaries(): string {
  const [newest] = installedVersions();
  if (newest === undefined) {
    throw new Error(
      `These tests need a PostgreSQL server (${installations}/*/bin/initdb): apt-get install postgresql.`,
    );
  }
  return join(installations, newest, "bin");
}

function run(binaries: string, program: string, parameters: string[]): void {
  const asRoot = process.getuid?.() === 0;
  const path = join(binaries, program);
  const [command, all] = asRoot
    ? ["setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", path, ...parameters]]
    : [path, parameters];
  // The server inherits what its starter has open: with pipes, waiting for them would mean waiting for the server.
  const { status } = spawnSync(command, all, { cwd: "/", stdio: "ignore" });
  if (status !== 0) throw new Error(`${program} ${parameters.join(" ")} ended with status ${status}.`);
}

function idOf(flag: "-u" | "-g"): number {
  return Number(spawnSync("id", [flag, "postgres"]).stdout.toString().trim());
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

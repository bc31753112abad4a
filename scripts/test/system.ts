import { spawnSync, type SpawnSyncOptions } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

/** What tests need from the system: where it is found, which Debian package brings it, and what cannot run without it. */
interface Need {
  readonly program: string;
  readonly packages: readonly string[];
  readonly without: string;
  isThere(): boolean;
}

const needs: readonly Need[] = [
  {
    program: "chromium",
    packages: ["chromium"],
    without: "the console in a real browser (test/browser)",
    isThere: () => ["chromium", "chromium-browser", "google-chrome"].some(isOnPath),
  },
  {
    program: "postgresql",
    packages: ["postgresql"],
    without: "the store suite on PostgreSQL (packages/store)",
    isThere: () => hasPostgres("/usr/lib/postgresql"),
  },
  {
    program: "a C compiler",
    packages: ["gcc", "libc6-dev"],
    without: "kills at enumerated boundaries (chaos)",
    isThere: () => isOnPath("gcc") && existsSync("/usr/include/stdio.h"),
  },
  {
    program: "openssl",
    packages: ["openssl"],
    without: "TLS towards providers (packages/egress, test/e2e)",
    isThere: () => isOnPath("openssl"),
  },
  {
    program: "ip",
    packages: ["iproute2"],
    without: "a provider elsewhere, in a network namespace of its own (packages/egress)",
    isThere: () => process.platform !== "linux" || isOnPath("ip"),
  },
  {
    program: "gnome-keyring",
    packages: ["gnome-keyring", "dbus"],
    without: "the key of the secrets in a real keychain (packages/models)",
    isThere: () => process.platform !== "linux" || (isOnPath("gnome-keyring-daemon") && isOnPath("dbus-run-session")),
  },
  {
    program: "python3 and curl",
    packages: ["python3", "curl"],
    without: "programs of the API quickstart in other languages (test/quickstart.test.ts)",
    isThere: () => isOnPath("python3") && isOnPath("curl"),
  },
  {
    program: "strace",
    packages: ["strace"],
    without: "what the daemon asks the kernel to reach, and which files it writes (test/system-calls)",
    isThere: () => process.platform !== "linux" || isOnPath("strace"),
  },
  {
    program: "LibreOffice",
    packages: ["libreoffice-writer-nogui", "libreoffice-calc-nogui", "libreoffice-impress-nogui"],
    without: "proof that another program opens the documents that are edited here (packages/documents)",
    isThere: () => isOnPath("soffice"),
  },
  {
    program: "git",
    packages: ["git"],
    without: "proof that `draft diff` is a patch that applies (test/e2e)",
    isThere: () => isOnPath("git"),
  },
];

/** Installs what is missing where that is possible; says what is missing and what that leaves out where it is not. */
export function provideSystem(): void {
  const missing = needs.filter((need) => !need.isThere());
  if (missing.length === 0) return;
  if (process.platform === "linux" && process.getuid?.() === 0 && isOnPath("apt-get")) {
    const packages = missing.flatMap((need) => need.packages);
    console.log(`Installing ${packages.join(", ")} for the tests`);
    install(packages);
  }
  for (const need of missing.filter((need) => !need.isThere())) {
    console.log(
      `MISSING ${need.program} (Debian: ${need.packages.join(", ")}). Without it these cannot run: ${need.without}`,
    );
  }
}

function install(packages: readonly string[]): void {
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const options: SpawnSyncOptions = { stdio: ["ignore", "ignore", "inherit"], env: environment };
  spawnSync("apt-get", ["update", "-qq"], options);
  spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...packages], options);
}

function isOnPath(program: string): boolean {
  return (process.env["PATH"] ?? "")
    .split(delimiter)
    .some((folder) => folder !== "" && existsSync(join(folder, program)));
}

function hasPostgres(folder: string): boolean {
  return existsSync(folder) && readdirSync(folder).some((version) => existsSync(join(folder, version, "bin/initdb")));
}

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { ggufBytes } from "../../test/gguf-files.ts";
import { startModelFileServer } from "../../test/model-file-server.ts";

const program = new URL("../../test/download-process.ts", import.meta.url).pathname;

/** Runs the process until it is killed that long after it began to download; true where it came to its end before. */
async function runAndKill(home: string, url: string, afterMs: number): Promise<{ ended: boolean; output: string }> {
  const child = spawn(process.execPath, [program, home, url], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(child, "exit");
  while (!output.includes("ready") && child.exitCode === null) await Promise.race([once(child.stdout, "data"), exited]);
  await Promise.race([sleep(afterMs), exited]);
  child.kill("SIGKILL");
  await exited;
  return { ended: child.signalCode === null, output };
}

test("P2.1 a download whose process is killed again and again is byte for byte the file, and fetched hardly more than once", async () => {
  const folder = mkdtempSync(join(tmpdir(), "benchtop-killed-"));
  const server = await startModelFileServer();
  try {
    const file = await ggufBytes({ bytes: 600 * 1024 });
    server.files.set("/tiny.gguf", { body: file, bytesPerSecond: 60_000 });
    const home = join(folder, "home");
    const url = `${server.url}/tiny.gguf`;
    let kills = 0;
    for (; kills < 3; kills++) {
      const { ended } = await runAndKill(home, url, Math.random() * 300);
      expect(ended).toBe(false);
      // Nothing is installed before it is whole.
      expect(readdirSync(join(home, "models")).filter((name) => !name.startsWith("."))).toEqual([]);
    }
    // From here on it is fast, so that it is killed while it checks, moves and commits, too.
    server.files.set("/tiny.gguf", { body: file });
    let last = { ended: false, output: "" };
    for (let attempt = 0; !last.ended; attempt++) {
      last = await runAndKill(home, url, attempt < 2 ? Math.random() * 60 : 10_000);
    }
    expect(last.output).toBe("ready\ndone \n");
    expect(readFileSync(join(home, "models", "tiny", "tiny.gguf"))).toEqual(file);
    const left = readdirSync(join(home, "models"), { recursive: true, encoding: "utf8" });
    const files = left.filter((path) => statSync(join(home, "models", path)).isFile());
    expect(files.sort()).toEqual([".installation", "tiny/tiny.gguf"]);
    // Each killed process loses at most what it had not saved of each request, and what was on its way.
    expect(server.bytesSent()).toBeLessThan(file.length + 5 * 4 * (8 + 16 + 16) * 1024);
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

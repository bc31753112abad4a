import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { startModelServer } from "../model-server.ts";
import { finished, Home, type Result, type Running } from "./home.ts";

const planted = "sk-planted-arguments-5Kd81";

/** Everybody on a machine can read what others were started with. */
test.skipIf(process.platform !== "linux")(
  "PX a key is in no process's arguments, whichever command it is given to",
  async () => {
    await using home = await Home.create();
    await using models = await startModelServer({ apiKey: planted });
    await home.ok("up", "--detach", "--no-open");
    const { token } = (await home.ok("up", "--detach", "--no-open", "--json")).json as { token: string };
    const key = (await home.ok("keys", "create", "ci", "--read", "--json")).json as {
      secret: string;
    };
    const secrets = [planted, token, key.secret];
    const url = (await home.client()).url;
    const commands: { words: string[]; input?: string }[] = [
      {
        words: [
          "providers",
          "add",
          "p",
          "--kind",
          "openai-chat",
          "--base-url",
          models.url,
          "--local",
          "--api-key-env",
          "PLANTED",
        ],
      },
      { words: ["providers", "test", "p"] },
      { words: ["login", url, "--token-env", "KEY"] },
      { words: ["login", url], input: `${token}\n` },
      { words: ["whoami"] },
      { words: ["logout"] },
      { words: ["status"] },
    ];
    let seen = 0;
    for (const { words, input } of commands) {
      const child = home.start(words, { PLANTED: planted, KEY: key.secret });
      child.stdin.end(input ?? "");
      const result = await watched(child, (commandLine) => {
        seen++;
        for (const secret of secrets) expect(commandLine).not.toContain(secret);
      });
      expect(result.code, `${words.join(" ")}: ${result.stderr}`).toBe(0);
      for (const secret of secrets) expect(result.stdout + result.stderr).not.toContain(secret);
    }
    expect(seen).toBeGreaterThan(commands.length);
  },
);

/** Reads every process's arguments, over and over, for as long as the command runs. */
async function watched(child: Running, look: (commandLine: string) => void): Promise<Result> {
  const result = finished(child);
  while (child.exitCode === null && child.signalCode === null) {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      try {
        look(readFileSync(`/proc/${pid}/cmdline`, "utf8"));
      } catch (error) {
        // It has ended meanwhile.
        if (!["ENOENT", "ESRCH", "EACCES"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return await result;
}

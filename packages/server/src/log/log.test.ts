import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openLog } from "./log.ts";
import { writeReport } from "./reports.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "benchtop-log-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

const readLog = async (name = "daemon.log") =>
  (await readFile(join(home, "logs", name), "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("lines are JSON, in order, and complete when the log is closed", async () => {
  const log = openLog({ home });
  for (let number = 0; number < 500; number++) log.info("line", { number });
  await log.close();
  expect((await readLog()).map(({ number }) => number)).toEqual([...Array(500).keys()]);
});

test("a log that grew is set aside, and only so many old ones are kept", async () => {
  for (let round = 0; round < 6; round++) {
    const log = openLog({ home, maxBytes: 100, keep: 2 });
    log.info("round", { round, filler: "x".repeat(60) });
    await log.close();
  }
  expect((await readdir(join(home, "logs"))).toSorted()).toEqual(["daemon.log", "daemon.log.1", "daemon.log.2"]);
  expect((await readLog())[0]).toMatchObject({ round: 5 });
  expect((await readLog("daemon.log.2"))[0]).toMatchObject({ round: 3 });
});

test("a log that cannot be written never fails its caller, and says later how much is missing", async () => {
  await writeFile(join(home, "logs"), "a file where the folder should be");
  const log = openLog({ home });
  log.info("lost");
  await log.close();
  await rm(join(home, "logs"));
  log.info("written");
  await log.close();
  expect(await readLog()).toMatchObject([{ event: "written" }, { event: "log.lines-dropped", lines: 1 }]);
});

test("S11 a report holds the stack and no message that may quote content", async () => {
  const failure = new Error("wrapped", { cause: thrownBy(() => JSON.parse('{"secret": my-api-key}')) });
  const id = await writeReport(home, failure, { operation: "runs.start" });
  const text = await readFile(join(home, "reports", `${id}.json`), "utf8");
  expect(text).not.toContain("my-api-key");
  expect(text).not.toContain("wrapped");
  expect(JSON.parse(text)).toMatchObject({
    id,
    operation: "runs.start",
    error: {
      name: "Error",
      stack: expect.arrayContaining([expect.stringContaining("log.test.ts")]),
      cause: { name: "SyntaxError" },
    },
  });
});

test("a report keeps the engine's own words", async () => {
  const nothing = undefined as unknown as { field: string };
  const id = await writeReport(
    home,
    thrownBy(() => nothing.field),
    {},
  );
  expect(await readFile(join(home, "reports", `${id}.json`), "utf8")).toContain("reading 'field'");
});

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (thrown) {
    return thrown;
  }
  throw new Error("nothing was thrown");
}

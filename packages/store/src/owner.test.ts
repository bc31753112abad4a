import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { processOwner } from "./owner.ts";

describe("the owner of a lease", () => {
  const script = `import { processOwner } from ${JSON.stringify(new URL("./owner.ts", import.meta.url).href)};
    process.stdout.write(processOwner(false).id);`;
  const ended = spawnSync(process.execPath, ["--input-type=module", "--eval", script]).stdout.toString();
  const owner = processOwner(false);

  test("is known to be dead when its process has ended", () => {
    expect(owner.isDead(ended)).toBe(true);
  });

  test("is not this process, nor another one of this machine that lives", () => {
    expect(owner.isDead(owner.id)).toBe(false);
    expect(owner.isDead(processOwner(false).id)).toBe(false);
  });

  test("is dead when its pid belongs to a process that started at another time", () => {
    const parts = owner.id.split("|");
    expect(owner.isDead([...parts.slice(0, 4), "1", "aaaaaaaaaaaa"].join("|"))).toBe(true);
  });

  test("may live when it is on another machine or in another container", () => {
    expect(owner.isDead(`elsewhere|${ended.split("|").slice(1).join("|")}`)).toBe(false);
    const [host, boot, , ...rest] = ended.split("|");
    expect(owner.isDead([host, boot, "pid:[1]", ...rest].join("|"))).toBe(false);
  });

  test("is dead whoever it is, for the one that holds the lock of the home", () => {
    expect(processOwner(true).isDead("elsewhere|b|n|1|2|x")).toBe(true);
  });
});

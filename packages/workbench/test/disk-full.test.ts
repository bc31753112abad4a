import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openStage } from "./stage.ts";

const root = process.getuid?.() === 0;

test.skipIf(!root)(
  "S6 a disk that fills up while publishing gives DISK_FULL, and Published and Draft stay (needs root)",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "benchtop-full-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=128m", "tmpfs", folder]);
    try {
      await using stage = await openStage({ root: folder });
      const { workbenches, model } = stage;
      const { workbenchId } = await workbenches.create({ name: "w", userId: "someone", workspaceId: "default" });
      const sha256 = await stage.upload("a");
      await workbenches.filesAdd({ workbenchId, uploads: [{ path: "a.txt", sha256 }], replace: false });
      for (let index = 0; index < 40; index++) {
        const content = `${index} ${"x".repeat(100_000)}`;
        model.script({ calls: [{ name: "write_file", arguments: { path: `${index}.txt`, content } }] });
      }
      await stage.agent(workbenchId);

      const { bavail, bsize } = statfsSync(folder);
      writeFileSync(join(folder, "ballast"), Buffer.alloc(Math.max(0, bavail * bsize - 3_000_000)));
      const failure = await workbenches
        .publish({ workbenchId, wait: true, userId: "someone" })
        .catch((thrown: unknown) => thrown);
      expect(failure).toMatchObject({ info: { error_code: "DISK_FULL", phase: "publish" } });
      expect(readFileSync(stage.published(workbenchId, "a.txt"), "utf8")).toBe("a");
      expect((await workbenches.draftState({ workbenchId })).counts.added).toBe(40);

      rmSync(join(folder, "ballast"));
      expect((await workbenches.publish({ workbenchId, wait: true, userId: "someone" })).status).toBe("success");
      expect(readFileSync(stage.published(workbenchId, "39.txt")).length).toBe(100_003);
    } finally {
      execFileSync("umount", ["-l", folder]);
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

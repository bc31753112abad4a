import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const possible = process.platform === "linux" && spawnSync("unshare", ["-rn", "true"]).status === 0;

test.skipIf(!possible)(
  "[needs a network namespace] S10 everything is reviewed without a network and without a provider",
  async () => {
    const root = await mkdtemp(join(tmpdir(), "benchtop-offline-"));
    try {
      const script = join(import.meta.dirname, "review-offline.ts");
      const { stdout } = await promisify(execFile)("unshare", ["-rn", process.execPath, script, root]);
      expect(JSON.parse(stdout)).toEqual({
        addresses: 0,
        loopback: "ENETUNREACH",
        changes: [
          ["budget.xlsx", null],
          ["data.bin", null],
          ["data.csv", 1],
          ["letter.docx", null],
          ["letter.pdf", null],
          ["new.md", 1],
          ["picture.png", null],
          ["plan.md", 1],
          ["talk.pptx", null],
        ],
        documents: {
          "budget.xlsx": "sheets",
          "data.bin": "bytes",
          "data.csv": "sheets",
          "letter.docx": "document",
          "letter.pdf": "pages",
          "new.md": "bytes",
          "picture.png": "image",
          "plan.md": "bytes",
          "talk.pptx": "slides",
        },
        hunks: 1,
        pages: ["image/png", "image/png"],
        accepted: 9,
        sent: 0,
      });
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  },
);

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCodes } from "@benchtop/protocol";
import { Code } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { statusOf } from "./status.ts";

test("P1.4 every error code has the status that the guide says", async () => {
  const guide = await readFile(join(import.meta.dirname, "../../../../docs/grpc.md"), "utf8");
  const rows = [...guide.matchAll(/^\| `([A-Z_]+)` +\|(.*)\|$/gm)];
  const documented = new Map(
    rows.flatMap(([, status = "", codes = ""]) =>
      [...codes.matchAll(/`([A-Z_]+)`/g)].map(([, code = ""]) => [code, status]),
    ),
  );
  const actual = errorCodes.map((code) => [code, grpcName(statusOf(code))] as const);
  // A table of files and checkpoints would say nothing more than its last row does.
  const inWords = /^(FILE|CHECKPOINT)_/;
  for (const [code, status] of actual) {
    expect([code, inWords.test(code) ? "INTERNAL" : documented.get(code)]).toEqual([code, status]);
  }
});

/** gRPC writes `CANCELLED`, Connect `Canceled`. */
function grpcName(code: Code): string {
  const name = Code[code].replaceAll(/(?<=[a-z])([A-Z])/g, "_$1").toUpperCase();
  return name === "CANCELED" ? "CANCELLED" : name;
}

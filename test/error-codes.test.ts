import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errorCodes, errorRules, type ErrorCode } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { errorSites, keyOf, root, unreached } from "../scripts/error-sites.ts";

/** Codes that the requirements name and nothing makes yet, with what they are for. */
const notMade: Partial<Record<ErrorCode, string>> = {};
/** Codes that no test names, and why. */
const notTested: Partial<Record<ErrorCode, string>> = {};

const sources = globSync("{packages,apps}/*/src/**/*.{ts,tsx}", { cwd: root }).filter(
  (file) => !file.includes("node_modules"),
);
const isTest = (file: string): boolean => /\.test\.tsx?$|\/(suite|conformance)\//.test(file);
const tests = [
  ...sources.filter(isTest),
  ...globSync("{packages,apps}/*/test/**/*.ts", { cwd: root }).filter((file) => !file.includes("node_modules")),
  ...globSync("test/**/*.ts", { cwd: root }),
].filter((file) => !file.endsWith("error-codes.test.ts"));
const product = sources.filter((file) => !isTest(file) && file !== "packages/protocol/src/errors.ts");

describe("H4 the taxonomy", () => {
  test("has no code that nothing makes", () => {
    expect(missingFrom(product)).toEqual(Object.keys(notMade));
  });

  test("has no code that no test expects", () => {
    expect(missingFrom(tests)).toEqual(Object.keys(notTested));
  });

  test("is the whole of what the harness makes: every error has its code written where it is made, or gets it from one that has", () => {
    const codes = new Set<string>(errorCodes);
    const unknown = errorSites().filter(({ code }) => code !== "" && !codes.has(code));
    expect(unknown).toEqual([]);
  });

  test("says of every code who is at fault, and what a person can do about what can be done again", () => {
    for (const code of errorCodes) {
      const { category, actions, retryable, status } = errorRules[code];
      expect(["provider", "runtime", "tool"]).toContain(category);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(retryable && actions.length === 0 ? code : "").toBe("");
    }
  });

  test("explains only places that exist", () => {
    const keys = new Set(errorSites().map(keyOf));
    expect(Object.keys(unreached).filter((key) => !keys.has(key))).toEqual([]);
  });
});

function missingFrom(files: readonly string[]): string[] {
  const text = files.map((file) => readFileSync(join(root, file), "utf8")).join("\n");
  return errorCodes.filter((code) => !text.includes(`"${code}"`));
}

import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "vitest";

const root = resolve(import.meta.dirname, "..");
const documents = ["README.md", "docs/**/*.md", "packages/*/README.md", "apps/*/README.md"].flatMap((pattern) =>
  globSync(pattern, { cwd: root }),
);

test.each(documents)("every link of %s leads somewhere", (document) => {
  const text = readFileSync(join(root, document), "utf8").replace(/^```[\s\S]*?^```$/gm, "");
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  const broken = targets.filter((target) => {
    if (/^[a-z]+:/.test(target)) return false;
    const [path = "", fragment] = target.split("#");
    const file = path === "" ? join(root, document) : join(root, dirname(document), path);
    return !existsSync(file) || (fragment !== undefined && !anchorsOf(file).includes(fragment));
  });
  expect(broken).toEqual([]);
});

test.each(["packages", "apps"])("every folder of %s says what lives in it", (folder) => {
  const without = globSync(`${folder}/*/package.json`, { cwd: root })
    .map(dirname)
    .filter((path) => !existsSync(join(root, path, "README.md")));
  expect(without).toEqual([]);
});

/** Fragments that headings get, the way code hosts make them. */
function anchorsOf(file: string): string[] {
  return [...readFileSync(file, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(" ", "-"),
  );
}

/**
 * The shape of every public operation, kept in docs/api-shapes.json. Says what changed since the last version note and exits
 * 1 then; `--write` takes the API as it is for the version that stands first in docs/api-changes.md, and refuses without a
 * note that names what changed. Taking away or narrowing needs another major number.
 */
import { resolve } from "node:path";
import { operations } from "../packages/operations/src/index.ts";
import { describe, lock, problemsOf } from "./api-shapes/lock.ts";
import { shapesOf } from "./api-shapes/shape.ts";

const root = resolve(import.meta.dirname, "..");
const shapes = shapesOf(Object.values(operations));

try {
  if (process.argv.includes("--write")) {
    for (const change of lock(root, shapes)) console.log(describe(change));
    console.log(`docs/api-shapes.json holds ${Object.keys(shapes).length} operations`);
  } else {
    const problems = problemsOf(root, shapes);
    for (const problem of problems) console.error(problem);
    if (problems.length > 0) {
      console.error("Write a version note in docs/api-changes.md, then run  node scripts/api-shapes.ts --write");
      process.exitCode = 1;
    }
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

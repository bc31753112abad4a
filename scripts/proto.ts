/**
 * Writes proto/benchtop/v1 from the operations' own definitions, the numbers of its fields (proto/field-numbers.json) and
 * the descriptors that the daemon serves (packages/server/src/grpc/benchtop.binpb). `--check` compares instead, and exits 1
 * when a file is not what it would write, or when buf finds fault with it: with its style, or as a change that breaks
 * clients of the released interface (proto/released.binpb). `--release` makes the present interface the released one.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { defineServices } from "../packages/server/src/grpc/services.ts";
import { NumberLock, type FieldNumbers } from "./proto/field-numbers.ts";
import { printFiles } from "./proto/print.ts";

const root = resolve(import.meta.dirname, "..");
const proto = join(root, "proto");
const numbersFile = join(proto, "field-numbers.json");
const descriptorsFile = join(root, "packages", "server", "src", "grpc", "benchtop.binpb");
const releasedFile = join(proto, "released.binpb");
const buf = join(root, "node_modules", ".bin", process.platform === "win32" ? "buf.cmd" : "buf");

const isCheck = process.argv.includes("--check");
const lock = new NumberLock(
  existsSync(numbersFile) ? (JSON.parse(readFileSync(numbersFile, "utf8")) as FieldNumbers) : {},
);
const files = new Map(
  [...printFiles(defineServices(), lock)].map(([path, text]) => [join(proto, path), text] as const),
);
files.set(numbersFile, printNumbers(lock.all));

const wrong = isCheck ? compare() : write();
if (wrong.length === 0) wrong.push(...runBuf());
if (wrong.length > 0) {
  console.error(wrong.join("\n"));
  console.error("Run  node scripts/proto.ts . A break with the released interface takes other names, or  --release .");
  process.exitCode = 1;
} else {
  console.log(isCheck ? "proto/ is up to date" : `wrote ${files.size} files below proto/`);
}

function write(): string[] {
  for (const path of strangers()) rmSync(path);
  for (const [path, text] of files) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  return [];
}

function compare(): string[] {
  const changed = [...files].filter(([path, text]) => !existsSync(path) || readFileSync(path, "utf8") !== text);
  return [...changed.map(([path]) => path), ...strangers()].map((path) => `${relative(root, path)} is out of date`);
}

/** Files of capabilities that are no more. */
function strangers(): string[] {
  const folder = join(proto, "benchtop", "v1");
  const there = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  return there.filter((path) => !files.has(path));
}

function runBuf(): string[] {
  const folder = mkdtempSync(join(tmpdir(), "benchtop-proto-"));
  try {
    const built = join(folder, "built.binpb");
    const build = run("build", "--as-file-descriptor-set", "--exclude-source-info", "-o", built);
    if (build.length > 0) return build;
    const descriptors = readFileSync(built);
    if (process.argv.includes("--release")) writeFileSync(releasedFile, descriptors);
    if (!isCheck) writeFileSync(descriptorsFile, descriptors);
    else if (!existsSync(descriptorsFile) || !readFileSync(descriptorsFile).equals(descriptors)) {
      return [`${relative(root, descriptorsFile)} is out of date`];
    }
    return [...run("lint"), ...run("breaking", "--against", releasedFile)];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What buf complains of. */
function run(...options: string[]): string[] {
  try {
    execFileSync(buf, options, { cwd: proto, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    return [];
  } catch (error) {
    const { stdout = "", stderr = "", message } = error as Error & { stdout?: string; stderr?: string };
    return [`buf ${options[0]}: ${`${stdout}${stderr}`.trim() || message}`];
  }
}

/** One line a field, so that a change of one shows as one. */
function printNumbers(numbers: FieldNumbers): string {
  const messages = Object.entries(numbers).map(([message, fields]) => {
    const lines = fields.map(
      (field) =>
        `    ${JSON.stringify(field)
          .replaceAll(/([:,])(?=["\d])/g, "$1 ")
          .replace("{", "{ ")
          .replace(/}$/, " }")}`,
    );
    return `  ${JSON.stringify(message)}: [${lines.length === 0 ? "" : `\n${lines.join(",\n")}\n  `}]`;
  });
  return `{\n${messages.join(",\n")}\n}\n`;
}

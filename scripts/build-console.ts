import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { extname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

/**
 * Builds `apps/console/dist` when it is missing or older than what it is made of, told by a hash of the inputs.
 * `--force` builds anyway. Prints one line. Runs after `npm install`, so it never fails for want of a development
 * dependency: an install without them gets a message instead of a console.
 */
const root = fileURLToPath(new URL("..", import.meta.url));
const consoleDir = join(root, "apps/console");
const distDir = join(consoleDir, "dist");
const stampFile = join(distDir, ".inputs");
/** What ends up in the bundle, beside what the lockfile pins. */
const inputs = ["apps/console", "packages/client", "packages/operations", "packages/protocol", "package-lock.json"];

process.exitCode = await main();

async function main(): Promise<number> {
  const startedAt = performance.now();
  const hash = await hashInputs();
  if (!process.argv.includes("--force") && (await builtFrom()) === hash) {
    console.log("console: up to date");
    return 0;
  }
  const vitePath = findVite();
  if (vitePath === undefined) {
    console.log(
      "console: not built, because its development dependencies are not installed (npm install --include=dev)",
    );
    return 0;
  }
  const { build } = (await import(vitePath)) as { build: (options: object) => Promise<unknown> };
  try {
    // No minifier or plugin reads NODE_ENV from the caller: a build is the same wherever it is made.
    process.env["NODE_ENV"] = "production";
    await build({ root: consoleDir, configFile: join(consoleDir, "vite.config.ts"), logLevel: "error" });
  } catch (thrown) {
    console.error(`console: not built: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    return process.env["npm_lifecycle_event"] === "prepare" ? 0 : 1;
  }
  const { script } = await compressAssets();
  await writeFile(stampFile, hash);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`console: built in ${seconds} s, first view ${Math.round(script / 1000)} kB of compressed script`);
  return 0;
}

async function builtFrom(): Promise<string | undefined> {
  if (!existsSync(stampFile) || !existsSync(join(distDir, "index.html"))) return undefined;
  return readFile(stampFile, "utf8");
}

async function hashInputs(): Promise<string> {
  const hash = createHash("sha256");
  for (const input of inputs) {
    for (const file of await listFiles(join(root, input))) {
      hash
        .update(relative(root, file))
        .update("\0")
        .update(await readFile(file))
        .update("\0");
    }
  }
  return hash.digest("hex");
}

/** Every file below a path, in a fixed order, without what is built or installed. */
async function listFiles(path: string): Promise<string[]> {
  if (!existsSync(path)) return [];
  if ((await stat(path)).isFile()) return [path];
  const files: string[] = [];
  for (const entry of (await readdir(path, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name === "node_modules" || entry.name === "dist" || /\.test\.tsx?$/.test(entry.name)) continue;
    const child = join(path, entry.name);
    if (entry.isDirectory()) files.push(...(await listFiles(child)));
    else if (entry.isFile()) files.push(child);
  }
  return files;
}

function findVite(): string | undefined {
  const require = createRequire(join(consoleDir, "package.json"));
  try {
    for (const name of ["@vitejs/plugin-react", "@tailwindcss/vite", "tailwindcss"]) require.resolve(name);
    return pathToFileURL(require.resolve("vite")).href;
  } catch (missing) {
    if (missing instanceof Error && "code" in missing && missing.code === "MODULE_NOT_FOUND") return undefined;
    throw missing;
  }
}

/** Writes `.br` and `.gz` beside every text file that gains from it; sums up what the first view loads. */
async function compressAssets(): Promise<{ script: number }> {
  const page = await readFile(join(distDir, "index.html"), "utf8");
  let script = 0;
  for (const file of await listBuilt(distDir)) {
    if (![".js", ".css", ".svg", ".html", ".json"].includes(extname(file))) continue;
    const bytes = await readFile(file);
    const [br, gz] = await Promise.all([
      promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }),
      promisify(gzip)(bytes, { level: 9 }),
    ]);
    if (br.length < bytes.length) await writeFile(`${file}.br`, br);
    if (gz.length < bytes.length) await writeFile(`${file}.gz`, gz);
    if (file.endsWith(".js") && page.includes(relative(distDir, file))) script += br.length;
  }
  return { script };
}

async function listBuilt(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/**
 * Layering, checked mechanically. Three rules:
 * 1. a package imports another package of ours only from a lower layer;
 * 2. whatever it imports from outside its folder is listed in its own package.json;
 * 3. relative imports never leave the package.
 * Prints one line a violation and exits 1 when there is one.
 */
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join, relative, resolve, sep } from "node:path";

const layers: Record<string, number> = {
  protocol: 0,
  operations: 1,
  harness: 1,
  store: 1,
  egress: 1,
  documents: 1,
  llama: 1,
  runs: 2,
  models: 3,
  workbench: 4,
  server: 5,
  client: 5,
  cli: 6,
  console: 6,
};

const root = resolve(import.meta.dirname, "..");
const violations = ["packages", "apps"].flatMap((group) =>
  readdirSync(join(root, group)).flatMap((name) => violationsOf(join(root, group, name), name)),
);
for (const violation of violations) console.error(violation);
if (violations.length > 0) process.exit(1);
console.log("layers: every import points down and is declared");

function violationsOf(folder: string, name: string): string[] {
  const layer = layers[name];
  if (layer === undefined) return [`${relative(root, folder)}: has no layer in scripts/check-layers.ts`];
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    name: string;
    dependencies?: Record<string, string>;
    optionalDependencies?: Record<string, string>;
    devDependencies?: Record<string, string>;
  };
  const declared = new Set([
    manifest.name,
    ...Object.keys(manifest.dependencies ?? {}),
    ...Object.keys(manifest.optionalDependencies ?? {}),
  ]);
  const declaredForTests = new Set([...declared, ...Object.keys(manifest.devDependencies ?? {})]);

  const found: string[] = [];
  for (const file of sourceFiles(join(folder, "src"))) {
    const isTest = /\.test\.tsx?$/.test(file);
    const where = relative(root, file);
    for (const specifier of importsOf(readFileSync(file, "utf8"))) {
      if (specifier.startsWith(".")) {
        const inside = isTest ? root : folder;
        if (!resolve(file, "..", specifier).startsWith(inside + sep))
          found.push(`${where}: ${specifier} leaves the package`);
        continue;
      }
      const target = packageOf(specifier);
      if (target === undefined || isTest) continue;
      const layerOfTarget = target.startsWith("@benchtop/") ? layers[target.slice("@benchtop/".length)] : undefined;
      if (target !== manifest.name && layerOfTarget !== undefined && layerOfTarget >= layer) {
        found.push(`${where}: ${target} is not below ${manifest.name}`);
      }
      const allowed = file.endsWith("vite.config.ts") ? declaredForTests : declared;
      if (!allowed.has(target)) found.push(`${where}: ${target} is not among the dependencies of ${manifest.name}`);
    }
  }
  return found;
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(source: string): string[] {
  const statements = /^\s*(?:import|export)\s[^;]*?from\s*"([^"]+)"|^\s*import\s*"([^"]+)"|\bimport\("([^"]+)"\)/gm;
  return [...source.matchAll(statements)].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
}

/** The package that a specifier names; undefined for Node's own modules. */
function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith("node:") || builtinModules.includes(specifier)) return undefined;
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0];
}

/**
 * Writes `docs/harness/reference.md` from what `@benchtop/harness` exports: the declarations that the compiler emits, and their
 * docstrings. With `--check`, says whether it is up to date and exits 1 when it is not.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const harness = join(root, "packages/harness");
const path = join(root, "docs/harness/reference.md");

/** Entry points that a program imports; the suites are for those who write an adapter or a store. */
const entryPoints = [".", "./ai-sdk", "./mcp", "./evals"];

interface Exported {
  readonly name: string;
  /** Folder below `src`. */
  readonly folder: string;
  readonly file: string;
  readonly docstring: string;
  readonly declaration: string;
}

const head = `# Reference

<!-- Written by scripts/harness-reference.ts from the exported declarations and their docstrings. -->

Everything that the package exports, by entry point and capability. Events, messages, errors and ports are the words of
\`@benchtop/protocol\`. Where to start: [overview](overview.md).`;

const text = reference();
if (!process.argv.includes("--check")) writeFileSync(path, text);
else if (readFileSync(path, "utf8") !== text) {
  console.error(
    "docs/harness/reference.md is not what the package exports. `node scripts/harness-reference.ts` writes it anew.",
  );
  process.exitCode = 1;
}

function reference(): string {
  const { exports } = JSON.parse(readFileSync(join(harness, "package.json"), "utf8")) as {
    exports: Record<string, string>;
  };
  const sources = entryPoints.map((entry) => join(harness, exports[entry] ?? `${entry} is not exported`));
  const folder = mkdtempSync(join(tmpdir(), "benchtop-reference-"));
  try {
    emitDeclarations(sources, folder);
    const chapters = sources.map((source, place) => {
      const entry = entryPoints[place] ?? "";
      return chapter(`@benchtop/harness${entry.slice(1)}`, exportsOf(declarationsOf(source, folder)));
    });
    return `${head}\n\n${chapters.join("\n\n")}\n`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function emitDeclarations(files: readonly string[], outDir: string): void {
  const project = join(outDir, "tsconfig.json");
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    stripInternal: true,
    outDir,
    rootDir: root,
    typeRoots: [join(root, "node_modules/@types")],
  };
  writeFileSync(project, JSON.stringify({ extends: join(root, "tsconfig.base.json"), compilerOptions, files }));
  // Declarations are emitted in spite of type errors, which another check reports.
  spawnSync(process.execPath, [join(root, "node_modules/typescript/lib/tsc.js"), "-p", project]);
}

/** Where the compiler put the declarations of a source. */
function declarationsOf(source: string, folder: string): string {
  return join(folder, relative(root, source).replace(/\.ts$/, ".d.ts"));
}

/** What a declaration file exports: by itself, and from files below it; what comes from other packages is theirs to document. */
function exportsOf(file: string): Exported[] {
  const statements = statementsOf(readFileSync(file, "utf8"));
  return statements.flatMap(({ docstring, code }) => {
    const from = /^export (?:type )?\{([^}]*)\} from "(\.[^"]*)"/.exec(code);
    if (from) {
      const [, list = "", target = ""] = from;
      const kept = new Set<string>();
      const names = new Set(
        list
          .split(",")
          .map((name) => name.replace(/^\s*type /, "").trim())
          .filter(Boolean),
      );
      const found = exportsOf(join(dirname(file), target.replace(/\.ts$/, ".d.ts")));
      for (const { name } of found) if (names.delete(name)) kept.add(name);
      const [missing] = names;
      if (missing) throw new Error(`${target} declares no "${missing}" that could be documented.`);
      return found.filter(({ name }) => kept.has(name));
    }
    const declared = /^export (?:declare )?(?:abstract )?(?:function|class|const|interface|type) (\w+)/.exec(code);
    if (!declared) return [];
    const [, name = ""] = declared;
    const folder = /\/src\/(.*)\/[^/]*$/.exec(file)?.[1] ?? "";
    return [{ name, folder, file, docstring, declaration: code.replace(/^export (?:declare )?/, "") }];
  });
}

/** Top-level statements of emitted declarations, each with the docstring in front of it. All of them begin in the first column. */
function statementsOf(declarations: string): { docstring: string; code: string }[] {
  const statements: { docstring: string; code: string }[] = [];
  let docstring = "";
  for (const [piece] of declarations.matchAll(/^\/\*\*[\s\S]*?\*\/\n|^[^\s}/][^\n]*\n(?:(?:[ \t}\])][^\n]*)?\n)*/gm)) {
    if (piece.startsWith("/**")) {
      docstring = piece;
    } else {
      statements.push({ docstring, code: piece.trimEnd() });
      docstring = "";
    }
  }
  return statements;
}

function chapter(name: string, exported: readonly Exported[]): string {
  const folders = [...new Set(exported.map(({ folder }) => folder))].toSorted();
  const sections = folders.map((folder) => {
    const entries = exported.filter((one) => one.folder === folder).map(entryOf);
    return `### ${folder === "" ? "main" : folder}\n\n${entries.join("\n\n")}`;
  });
  return `## \`${name}\`\n\n${sections.join("\n\n")}`;
}

function entryOf({ name, docstring, declaration }: Exported): string {
  const said = proseOf(docstring);
  const code = declaration
    .replace(/^ {4}#private;\n/m, "")
    .replaceAll(/^( {4})+/gm, (spaces) => " ".repeat(spaces.length / 2));
  return [`#### ${name}`, ...(said === "" ? [] : [said]), `\`\`\`ts\n${code}\n\`\`\``].join("\n\n");
}

/** A docstring as paragraphs; what it indents is code. */
function proseOf(docstring: string): string {
  return docstring
    .replace(/^\/\*\*\s?/, "")
    .replace(/\s*\*\/\s*$/, "")
    .replaceAll(/^ \* ?/gm, "")
    .trim();
}

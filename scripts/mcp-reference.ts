/**
 * Writes the table of tools into docs/mcp.md, from the operations and their places in MCP. `--check` compares instead, and
 * exits 1 when the table is not what it would write.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { operations, type Operation } from "../packages/operations/src/index.ts";
import { offerOf } from "../packages/server/src/mcp/tools/offers.ts";
import { toolNameOf } from "../packages/server/src/mcp/tools/tool-schemas.ts";

const root = resolve(import.meta.dirname, "..");
const path = join(root, "docs", "mcp.md");
const begin = "<!-- tools: written by scripts/mcp-reference.ts -->\n";
const end = "<!-- end of tools -->";

const before = readFileSync(path, "utf8");
const text = `${before.slice(0, before.indexOf(begin) + begin.length)}\n${tables()}\n${before.slice(before.indexOf(end))}`;
if (!process.argv.includes("--check")) {
  writeFileSync(path, text);
  console.log(`wrote ${relative(root, path)}`);
} else if (before === text) {
  console.log(`${relative(root, path)} is up to date`);
} else {
  console.error(`${relative(root, path)} is out of date: run  node scripts/mcp-reference.ts`);
  process.exitCode = 1;
}

function tables(): string {
  const all = Object.values(operations) as Operation[];
  const words = { read: "reads", draft: "works", gated: "**asks**" } as const;
  const offered = all.flatMap((operation) => {
    const offer = offerOf(operation);
    if (offer.kind === "none") return [];
    return [[`\`${toolNameOf(operation.id)}\``, words[offer.kind], operation.summary]];
  });
  const withheld = Map.groupBy(
    all.flatMap(({ id, ...operation }) => {
      const offer = offerOf({ id, ...operation });
      return offer.kind === "none" ? [{ id, why: offer.why }] : [];
    }),
    ({ why }) => why,
  );
  const reasons = [...withheld].map(([why, group]) => [group.map(({ id }) => `\`${id}\``).join(", "), why]);
  return `${table(["Tool", "", "What it does"], offered)}\nNot offered:\n\n${table(["Operations", "Why"], reasons)}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(3, ...all.map((row) => (row[column] ?? "").length)));
  const line = (row: readonly string[]) =>
    `| ${widths.map((width, column) => (row[column] ?? "").padEnd(width)).join(" | ")} |`;
  return `${[line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n")}\n`;
}

/** Writes `docs/cli.md` from the command tree; with `--check`, says whether it is up to date and exits 1 when it is not. */
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { exitCodeHelp } from "../apps/cli/src/failure.ts";
import { Invocation } from "../apps/cli/src/invocation.ts";
import { createProgram } from "../apps/cli/src/program.ts";

const path = resolve(import.meta.dirname, "../docs/cli.md");
const text = reference(createProgram(new Invocation(false)));
if (!process.argv.includes("--check")) writeFileSync(path, text);
else if (readFileSync(path, "utf8") !== text) {
  console.error("docs/cli.md is not what the commands say. `node scripts/cli-reference.ts` writes it anew.");
  process.exitCode = 1;
}

function reference(program: Command): string {
  return `# The command line

<!-- Written by scripts/cli-reference.ts from the commands themselves. -->

\`npx benchtop\` in the clone, or \`benchtop\` where it is on the path. Results go to standard output; activity, progress and
errors go to standard error. Colour is used on terminals only, and not when \`NO_COLOR\` is set.

- **\`--json\`** works with every command: one JSON value, or one event a line where it streams (\`run\`, \`ask\`,
  \`runs events\`). List commands print what the API answers: \`{"items":[…],"nextCursor":…}\`.
- **Errors** are one line, followed by what to type next. With \`--json\` they are one line on standard error:
  \`{"error":{"message","error_code","phase","retryable","actions",…}}\`.
- **Questions** are asked on a terminal only. In scripts consent is \`--consent once|always\`, deletions are
  \`--confirm-deletions\`, and nothing waits for an answer.
- **Ctrl-C** aborts the run through the API and waits for its last event; a second one leaves at once.
- **Which daemon**: the one that \`BENCHTOP_URL\` names, else the one of \`benchtop login\`, else the one of this machine. \`BENCHTOP_TOKEN\`
  says who you are there. \`login\` keeps tokens in \`benchtop/credentials.json\` of your configuration folder, for you alone (0600).
- **Which workspace**: \`--workspace NAME\` with any command, else \`BENCHTOP_WORKSPACE\`, else what \`workspaces use\` chose.
- A daemon that has too many requests is waited for, as long as it asks (at most 30 s, three times).
- A daemon is **started by itself** where a command needs one (\`status\`, \`down\` and \`up\` excepted). A second \`up\` on the same
  home starts nothing: it prints the running daemon's line and exits with 0.

${table([["Exit code", "Meaning"], ...exitCodeHelp.map(([code, meaning]) => [String(code), meaning] as const)])}

${sections(program).join("\n\n")}
`;
}

/** Cells padded the way the formatter wants them. */
function table(rows: readonly (readonly [string, string])[]): string {
  const [first, second] = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map(([left, right]) => `| ${left.padEnd(first ?? 0)} | ${right.padEnd(second ?? 0)} |`);
  return lines.toSpliced(1, 0, `| ${"-".repeat(first ?? 0)} | ${"-".repeat(second ?? 0)} |`).join("\n");
}

/** The program, then every command in the order of its help. */
function sections(command: Command, parents: readonly string[] = []): string[] {
  const words = [...parents, command.name()];
  const own = `## ${words.join(" ")}\n\n\`\`\`text\n${helpOf(command)}\n\`\`\``;
  return [own, ...command.commands.flatMap((child) => sections(child, words))];
}

function helpOf(command: Command): string {
  let help = "";
  command.configureHelp({ helpWidth: 100, sortSubcommands: false });
  command.configureOutput({
    writeOut: (text) => (help += text),
    getOutHelpWidth: () => 100,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return help.trimEnd();
}

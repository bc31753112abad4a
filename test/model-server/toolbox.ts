import type { OfferedTool } from "./conversation.ts";

export interface Step {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export interface Plan {
  readonly steps: readonly Step[];
  /** Calls to ask for in one move. */
  readonly atOnce: number;
  readonly answer: string;
}

export type Change =
  | { readonly kind: "write"; readonly path: string; readonly content: string; readonly says: string }
  | {
      readonly kind: "edit";
      readonly path: string;
      readonly before: string;
      readonly after: string;
      readonly whole: string;
      readonly says: string;
    }
  | { readonly kind: "delete"; readonly path: string; readonly says: string };

/** Steps in the names that the request's own tools and parameters have. */
export function toolbox(tools: readonly OfferedTool[]) {
  const find = (pattern: RegExp): OfferedTool => {
    const found = tools.find((tool) => pattern.test(tool.name));
    if (!found) throw new Error(`no tool like ${pattern} among ${tools.map((tool) => tool.name).join(", ")}`);
    return found;
  };
  const write = (file: string, content: string): Step =>
    step(find(/write|create/), [path(file), [/content|text/i, "content", content]]);
  return {
    list: (): Step => ({ name: find(/list/).name, arguments: {} }),
    read: (file: string): Step => step(find(/read/), [path(file)]),
    write,
    /** For "remember that …", where there is a tool for it. */
    remember(task: string): Step | undefined {
      const text = /\bremember that ([^\n.]+)/i.exec(task)?.[1];
      const keeping = tools.find((tool) => /remember/.test(tool.name));
      return text === undefined || !keeping ? undefined : step(keeping, [[/text/, "text", text]]);
    },
    /** All changes in one call, where there is a tool for that. */
    propose(changes: readonly Change[]): Step | undefined {
      const proposing = tools.find((tool) => /propose/.test(tool.name));
      if (proposing === undefined || changes.length === 0) return undefined;
      const summary = changes.map(({ says }) => says).join(" ");
      return { name: proposing.name, arguments: { summary, changes: proposed(changes) } };
    },
    change(change: Change): Step {
      if (change.kind === "write") return write(change.path, change.content);
      if (change.kind === "delete") return step(find(/delete|remove/), [path(change.path)]);
      const edit = tools.find((tool) => /edit|replace/.test(tool.name));
      if (edit === undefined) return write(change.path, change.whole);
      const before: [RegExp, string, string] = [/^(?:old|find|search|before)/i, "old", change.before];
      return step(edit, [path(change.path), before, [/^(?:new|replace|after)/i, "new", change.after]]);
    },
  };
}

/** One entry a file: what is edited several times is one edit after the other. */
function proposed(changes: readonly Change[]): readonly Record<string, unknown>[] {
  const byPath = Map.groupBy(changes, ({ path }) => path);
  return [...byPath].map(([path, ofPath]) => {
    const last = ofPath.at(-1);
    const summary = ofPath.map(({ says }) => says).join(" ");
    if (last?.kind === "delete") return { path, action: "delete", summary };
    if (last?.kind === "write") return { path, action: "write", content: last.content, summary };
    const edits = ofPath.flatMap((change) =>
      change.kind === "edit" ? [{ old_text: change.before, new_text: change.after }] : [],
    );
    return { path, action: "edit", edits, summary };
  });
}

function parameter(tool: OfferedTool, pattern: RegExp, fallback: string): string {
  return tool.parameters.find((name) => pattern.test(name)) ?? fallback;
}

/** The parameter that names a file. */
function path(value: string): [RegExp, string, string] {
  return [/path|file/i, "path", value];
}

/** Values as [parameter name pattern, name when none matches, value]. */
function step(tool: OfferedTool, values: readonly [RegExp, string, string][]): Step {
  const named = values.map(([pattern, fallback, value]) => [parameter(tool, pattern, fallback), value]);
  return { name: tool.name, arguments: Object.fromEntries(named) as Record<string, string> };
}

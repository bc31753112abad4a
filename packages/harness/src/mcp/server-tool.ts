import { createHash } from "node:crypto";
import { BenchtopError, type Json } from "@benchtop/protocol";
import { ToolRegistry } from "../tools/registry.ts";
import type { Tool, ToolContext, ToolOutput } from "../tools/tool.ts";
import type { McpConnection } from "./connection.ts";
import { outputOf } from "./content.ts";
import { strictSchema } from "./strict-schema.ts";

/** A tool that the server lists and no run gets. */
export interface RejectedTool {
  /** The server's own name, cut to 100 characters; empty when it has none. */
  readonly name: string;
  readonly reason: string;
}

/** What a server reports of a call that is going. The message is the server's. */
export interface McpProgress {
  readonly callId: string;
  readonly tool: string;
  readonly progress: number;
  readonly total?: number;
  readonly message?: string;
}

interface ToolRules {
  readonly name: string;
  readonly allow?: readonly string[];
  readonly trustHints?: boolean;
  readonly onProgress?: (progress: McpProgress) => void;
}

/** Makes tools of what a server lists. An entry that cannot be one is rejected with its reason and disturbs no other. */
export function toolsOf(
  listed: readonly unknown[],
  connection: McpConnection,
  rules: ToolRules,
): { tools: Tool[]; rejected: RejectedTool[] } {
  const tools: Tool[] = [];
  const rejected: RejectedTool[] = [];
  const names = new Set<string>();
  for (const entry of listed) {
    const { name, reason, tool } = toolOf(entry, connection, rules);
    if (tool && !names.has(tool.name)) {
      names.add(tool.name);
      tools.push(tool);
    } else if (reason !== undefined || tool) {
      rejected.push({ name: name.slice(0, 100), reason: reason ?? "The server lists this name twice." });
    }
  }
  return { tools, rejected };
}

interface Outcome {
  readonly name: string;
  readonly tool?: Tool;
  readonly reason?: string;
}

function toolOf(entry: unknown, connection: McpConnection, rules: ToolRules): Outcome {
  const listed = typeof entry === "object" && entry !== null ? (entry as Listed) : {};
  const name = typeof listed.name === "string" ? listed.name : "";
  if (name === "") return { name, reason: "It has no name." };
  if (rules.allow && !rules.allow.includes(name)) return { name };
  try {
    const { effects, idempotent } = effectsOf(listed.annotations, rules.trustHints ?? false);
    const spec = {
      name: safeName(rules.name, name),
      description: descriptionOf(listed),
      inputSchema: strictSchema(listed.inputSchema),
      timeoutMs: connection.maxCallMs,
      effects,
      idempotent,
    };
    const execute = (input: Json, context: ToolContext) =>
      call({ connection, name, idempotent, input, context, rules });
    const tool: Tool = { ...spec, execute };
    checkUsable(tool);
    return { name, tool };
  } catch (error) {
    return { name, reason: BenchtopError.from(error).message };
  }
}

/** The registry would refuse it in a run, where it is too late for a reason. */
function checkUsable(tool: Tool): ToolRegistry {
  return new ToolRegistry([tool]);
}

type Listed = Partial<Record<"name" | "title" | "description" | "inputSchema" | "annotations", unknown>>;

/** The hints are the server's word for it: they count where somebody has said that the server is to be trusted. */
function effectsOf(annotations: unknown, trusted: boolean): Pick<Tool, "effects" | "idempotent"> {
  const hints = typeof annotations === "object" && annotations !== null ? annotations : {};
  const says = (hint: string) => trusted && (hints as Record<string, unknown>)[hint] === true;
  const readOnly = says("readOnlyHint");
  return { effects: readOnly ? "none" : "external", idempotent: readOnly || says("idempotentHint") };
}

const maxNameLength = 64;

/**
 * `server_tool`, which every provider accepts. A name that had to be changed ends with a part of its hash, so that no two
 * tools of a server get the same name and each gets the same one again. Server names have no underscore, so the first one ends it.
 */
function safeName(server: string, tool: string): string {
  const safe = `${server}_${tool.replaceAll(/[^A-Za-z0-9_-]/g, "_")}`;
  if (safe === `${server}_${tool}` && safe.length <= maxNameLength) return safe;
  const mark = `_${createHash("sha256").update(tool).digest("hex").slice(0, 8)}`;
  return safe.slice(0, maxNameLength - mark.length) + mark;
}

const maxDescription = 4000;

/** Without what a person who reads the tools cannot see: control characters, tags, marks that turn text around. */
const invisible = /[\p{Cc}\p{Cf}\u{E0000}-\u{E007F}]/gu;

function descriptionOf({ title, description }: Listed): string {
  const text = typeof description === "string" ? description : typeof title === "string" ? title : "";
  return text.slice(0, maxDescription).replaceAll(invisible, (mark) => (mark === "\n" || mark === "\t" ? mark : ""));
}

async function call({
  connection,
  name,
  idempotent,
  input,
  context,
  rules,
}: {
  readonly connection: McpConnection;
  readonly name: string;
  readonly idempotent: boolean;
  readonly input: Json;
  readonly context: ToolContext;
  readonly rules: ToolRules;
}): Promise<ToolOutput> {
  const { onProgress } = rules;
  const { callId, signal } = context;
  const result = await connection.call({
    name,
    arguments: input as { [key: string]: Json },
    idempotent,
    signal,
    ...(onProgress && {
      progress: ({ progress, total, message }) =>
        onProgress({
          callId,
          tool: safeName(rules.name, name),
          progress,
          ...(total !== undefined && { total }),
          ...(message !== undefined && { message: message.slice(0, 1000) }),
        }),
    }),
  });
  return outputOf(result);
}

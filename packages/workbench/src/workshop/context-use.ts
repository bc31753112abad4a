import { estimateMessageTokens, estimateTokens } from "@benchtop/harness";
import type { Providers } from "@benchtop/models";
import type { Catalogue } from "../catalogue/catalogue.ts";
import { contextItemsOf } from "../context-items/context-items.ts";
import type { Drafts } from "../draft/drafts.ts";
import type { Environment } from "../environment.ts";
import { countMemories } from "../memory/memory.ts";
import { historyOfTurns } from "./conversation/conversation.ts";
import { agentInstructions, messageInstructions } from "./instructions.ts";
import type { Programs } from "./programs.ts";
import { chooseFiles } from "./shown-files.ts";
import type { Turns } from "./conversation/turns.ts";

export type ContextPart = "instructions" | "context-items" | "files" | "conversation" | "memory" | "tools";

/** How much of a model's window the next turn takes before anything is asked. Tokens are estimates. */
export interface ContextUse {
  readonly model: string;
  readonly contextTokens: number | null;
  readonly usedTokens: number;
  readonly pressure: "light" | "moderate" | "heavy" | null;
  readonly parts: { readonly part: ContextPart; readonly tokens: number; readonly count: number }[];
  readonly leftOut: string[];
}

/** Below a half of the window there is room for work; above four fifths the harness begins to drop what was said. */
const moderateFrom = 0.5;
const heavyFrom = 0.8;

/** What a memory that joins a prompt may take, and how many do. */
const memoryTokens = 150;
const recalledMemories = 8;

/** Measures what a turn would be told, without telling it to anybody. */
export async function contextUse(
  environment: Environment,
  parts: {
    readonly catalogue: Catalogue;
    readonly drafts: Drafts;
    readonly turns: Turns;
    readonly providers: Providers;
    readonly programs: Programs;
  },
  input: { readonly workbenchId: string; readonly model: string; readonly kind: "agent" | "message" },
): Promise<ContextUse> {
  const { store } = environment;
  const row = await parts.catalogue.find(input.workbenchId);
  const place = { workspaceId: row.workspace_id, sessionId: row.session_id };
  const model = await parts.providers.resolve(place.workspaceId, input.model);
  const window = model.facts?.contextTokens;
  const files = (await parts.drafts.viewOf(row.id)).files();
  const items = await contextItemsOf(store.db, row.id);
  const history = await historyOfTurns(store, parts.turns, place, await parts.turns.head(place), []);
  const remembers = row.memory === 1;
  const memories = remembers ? await countMemories(store, row.id) : 0;
  const chosen = input.kind === "message" ? chooseFiles(files, "", window) : { shown: [], leftOut: [], tokens: 0 };

  const told = { name: row.name, items: [], remembers };
  const bare =
    input.kind === "message"
      ? messageInstructions({ ...told, files: [] }, { texts: "", leftOut: [], fence: "" })
      : agentInstructions({ ...told, files: [] });
  const listed = agentInstructions({ ...told, files });
  const tools = parts.programs.toolsOf({ kind: input.kind, workbenchId: row.id, input: { memory: remembers } });
  const measured: ContextUse["parts"] = [
    { part: "instructions", tokens: estimateTokens(bare), count: 1 },
    {
      part: "context-items",
      tokens: estimateTokens(items.map(({ title, content }) => `## ${title}\n${content}\n`).join("\n")),
      count: items.length,
    },
    {
      part: "files",
      tokens:
        Math.max(0, estimateTokens(listed) - estimateTokens(agentInstructions({ ...told, files: [] }))) + chosen.tokens,
      count: input.kind === "message" ? chosen.shown.length : files.length,
    },
    {
      part: "conversation",
      tokens: history.reduce((sum, message) => sum + estimateMessageTokens(message), 0),
      count: history.filter(({ role }) => role === "user").length,
    },
    { part: "memory", tokens: Math.min(memories, recalledMemories) * memoryTokens, count: memories },
    { part: "tools", tokens: tools.estimatedTokens, count: tools.specs.length },
  ];
  const usedTokens = measured.reduce((sum, { tokens }) => sum + tokens, 0);
  const share = window === undefined ? null : usedTokens / window;
  return {
    model: input.model,
    contextTokens: window ?? null,
    usedTokens,
    pressure: share === null ? null : share < moderateFrom ? "light" : share < heavyFrom ? "moderate" : "heavy",
    parts: measured,
    leftOut: [...chosen.leftOut],
  };
}

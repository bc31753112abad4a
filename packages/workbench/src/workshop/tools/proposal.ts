import type { Tool, ToolContext, ToolOutput } from "@benchtop/harness";
import { BenchtopError, newId, type EventInput, type Json } from "@benchtop/protocol";
import { z } from "zod";
import { applyChanges, type PathChange } from "../../draft/apply.ts";
import type { Drafts } from "../../draft/drafts.ts";
import type { DraftView } from "../../draft/view.ts";
import type { Environment } from "../../environment.ts";
import { parseWorkbenchPath } from "../../path/workbench-path.ts";
import { authorOf, takeBack } from "./draft-changes.ts";
import { applyEdit } from "./edit.ts";
import { inputSchema, schemaObject } from "./schema-object.ts";
import { readText } from "./read-text.ts";

const Edit = z.object({ old_text: z.string().min(1), new_text: z.string(), replace_all: z.boolean().default(false) });
const ProposedChange = z.object({
  path: z.string(),
  action: z.enum(["write", "edit", "delete"]),
  content: z.string().optional(),
  edits: z.array(Edit).optional(),
  summary: z.string().optional(),
});
const Proposal = z.object({ summary: z.string(), changes: z.array(ProposedChange).min(1) });
type Proposal = z.infer<typeof Proposal>;

/**
 * How a message changes files: the model proposes all of its changes at once, the proposal is kept as it came, and is applied
 * to the Draft whole or not at all. The same proposal over the same Draft gives the same Draft; both are artifacts of the run.
 */
export function proposalTool(environment: Environment, drafts: Drafts, workbenchId: string): Tool {
  const proposals = new Proposals(environment, drafts, workbenchId);
  const text = { type: "string" } as const;
  return {
    name: "propose_changes",
    description:
      "Proposes changes to files; they go to the Draft together, or not at all when one of them cannot be made. " +
      "write: content is the whole new text. edit: each old_text occurs exactly once, unless replace_all. delete: the person has to confirm it.",
    inputSchema: inputSchema(
      {
        summary: { ...text, description: "What changes and why, in a sentence." },
        changes: {
          type: "array",
          minItems: 1,
          maxItems: 500,
          items: schemaObject(
            {
              path: text,
              action: { type: "string", enum: ["write", "edit", "delete"] },
              content: text,
              edits: {
                type: "array",
                minItems: 1,
                items: schemaObject(
                  { old_text: { ...text, minLength: 1 }, new_text: text, replace_all: { type: "boolean" } },
                  "old_text",
                  "new_text",
                ),
              },
              summary: { ...text, description: "What changes in this file, in a few words." },
            },
            "path",
            "action",
          ),
        },
      },
      "summary",
      "changes",
    ),
    effects: "draft",
    // By its call: made again after a crash, it finds what it applied.
    idempotent: true,
    execute: (input, context) => proposals.apply(input, context),
    compensate: (_, context) => takeBack(drafts, workbenchId, context),
  };
}

class Proposals {
  readonly #environment: Environment;
  readonly #drafts: Drafts;
  readonly #workbenchId: string;

  constructor(environment: Environment, drafts: Drafts, workbenchId: string) {
    this.#environment = environment;
    this.#drafts = drafts;
    this.#workbenchId = workbenchId;
  }

  async apply(input: Json, context: ToolContext): Promise<ToolOutput> {
    const proposal = Proposal.parse(input);
    const kept = await this.#keep(
      "proposal.json",
      { version: 1, ...(proposal as unknown as Record<string, Json>) },
      context,
    );
    const author = authorOf(context);
    const { locks } = this.#environment;
    const outcome = await locks.run(this.#workbenchId, async () => {
      const made = await this.#made(author);
      if (made.length > 0) return { events: made };
      const changes = await this.#resolve(proposal);
      if ("problems" in changes) return changes;
      return { events: await applyChanges(this.#environment, this.#drafts, this.#workbenchId, { changes, author }) };
    });
    if ("problems" in outcome) {
      await this.#keep(
        "apply.json",
        { version: 1, proposal: kept, applied: false, problems: outcome.problems },
        context,
      );
      return {
        content: `Nothing was changed, since not every change can be made:\n${outcome.problems.join("\n")}`,
        isError: true,
      };
    }
    for (const event of outcome.events) await context.emit(event);
    const changes = outcome.events.map(({ path, change, sha256, bytes, revision }) => ({
      path,
      change,
      sha256,
      bytes,
      revision,
    }));
    await this.#keep("apply.json", { version: 1, proposal: kept, applied: true, changes }, context);
    if (changes.length === 0) return { content: "The files say this already; nothing changed." };
    const lines = changes.map(({ path, change }) => `${JSON.stringify(path)} ${change}`);
    return { content: `In the Draft now:\n${lines.join("\n")}\nThe person reviews it before it is published.` };
  }

  /** What an earlier attempt of this call has changed already. */
  async #made({ runId, callId }: { runId: string; callId: string }): Promise<EventInput<"DraftChanged">[]> {
    const draft = await this.#drafts.find(this.#workbenchId);
    if (!draft) return [];
    const rows = await this.#environment.store.db
      .selectFrom("draft_changes")
      .select("path")
      .where("draft_id", "=", draft.id)
      .where("run_id", "=", runId)
      .where("call_id", "=", callId)
      .execute();
    const events: EventInput<"DraftChanged">[] = [];
    for (const { path } of rows.toSorted((a, b) => (a.path < b.path ? -1 : 1))) {
      const event = await this.#drafts.changeOf(this.#workbenchId, { runId, callId }, path);
      if (event) events.push(event);
    }
    return events;
  }

  /** The content that each path is to have; every problem there is, not the first alone. */
  async #resolve({ changes }: Proposal): Promise<PathChange[] | { problems: string[] }> {
    const view = await this.#drafts.viewOf(this.#workbenchId);
    const problems: string[] = [];
    const resolved: PathChange[] = [];
    const seen = new Set<string>();
    for (const change of changes) {
      try {
        const path = parseWorkbenchPath(change.path, this.#environment.limits);
        if (seen.has(path)) throw new BenchtopError("VALIDATION_FAILED", "It is named twice.");
        seen.add(path);
        resolved.push({ path, content: await this.#contentOf(view, path, change), summary: change.summary ?? null });
      } catch (thrown) {
        const error = BenchtopError.from(thrown);
        if (error.code === "INTERNAL" || error.code === "DISK_FULL") throw thrown;
        problems.push(`${JSON.stringify(change.path)}: ${error.message}`);
      }
    }
    return problems.length > 0 ? { problems } : resolved;
  }

  async #contentOf(
    view: DraftView,
    path: string,
    change: z.infer<typeof ProposedChange>,
  ): Promise<PathChange["content"]> {
    const { action, content, edits } = change;
    if (action === "write") {
      if (content === undefined) throw missing("content", "write");
      return await this.#drafts.keepText(path, content);
    }
    if (action === "delete") {
      if (view.get(path)) return null;
      throw new BenchtopError("NOT_FOUND", "There is no such file.");
    }
    if (edits === undefined) throw missing("edits", "edit");
    let { text } = await readText(this.#environment, view, path);
    for (const { old_text, new_text, replace_all } of edits) {
      const edited = applyEdit(text, old_text, new_text, replace_all);
      if ("problem" in edited) throw new BenchtopError("VALIDATION_FAILED", edited.problem);
      text = edited.text;
    }
    return await this.#drafts.keepText(path, text);
  }

  async #keep(name: string, content: Json, context: ToolContext): Promise<string> {
    const { sha256, bytes } = await this.#environment.store.blobs.put(Buffer.from(JSON.stringify(content, null, 2)));
    const artifactId = newId("artifact");
    await context.emit({ type: "ArtifactWritten", artifactId, name, mediaType: "application/json", sha256, bytes });
    return artifactId;
  }
}

function missing(field: string, action: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `${action} needs ${field}.`);
}

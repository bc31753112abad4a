import type { Tool, ToolContext, ToolOutput } from "@benchtop/harness";
import type { DocumentKind } from "@benchtop/documents";
import { documentKindOf } from "@benchtop/documents/kinds";
import { BenchtopError } from "@benchtop/protocol";
import type { Drafts, Written } from "../../draft/drafts.ts";
import type { DraftFile } from "../../draft/view.ts";
import type { Environment } from "../../environment.ts";
import { parseWorkbenchPath } from "../../path/workbench-path.ts";
import { whyKilled } from "../../review/document-reader.ts";
import { authorOf, takeBack } from "./draft-changes.ts";
import { inputSchema } from "./schema-object.ts";

/** Reading documents that are no plain text, as text with addresses. */
export function documentReadingTools(
  environment: Environment,
  drafts: Drafts,
  workbenchId: string,
  canEdit: boolean,
): Tool[] {
  const documents = new AgentDocuments(environment, drafts, workbenchId);
  return [
    {
      name: "read_document",
      description:
        "Reads a document that is no plain text (.docx, .xlsx, .pptx, .pdf), or a .csv as a table, as text with addresses. A long one comes in parts; the text says how to ask for the next.",
      inputSchema: inputSchema(
        {
          path: { type: "string" },
          part: { type: "string", maxLength: 200, description: "As an earlier answer named it." },
        },
        "path",
      ),
      effects: "none",
      idempotent: true,
      execute: (input) => documents.read(input as { path: string; part?: string }, canEdit),
    },
  ];
}

/** Changing and making documents, in the Draft. */
export function documentWritingTools(environment: Environment, drafts: Drafts, workbenchId: string): Tool[] {
  const documents = new AgentDocuments(environment, drafts, workbenchId);
  return [
    {
      name: "edit_document",
      description:
        "Changes a .docx, .xlsx, .pptx or .csv in the Draft: all edits or none. What no edit names stays as it is. Read the document with read_document first: it gives the addresses, and the schema of the edits.",
      inputSchema: inputSchema(
        {
          path: { type: "string" },
          edits: {
            type: "array",
            minItems: 1,
            maxItems: 500,
            items: {
              type: "object",
              properties: { edit: { type: "string", description: "Which edit it is, such as replace-text." } },
              required: ["edit"],
            },
          },
        },
        "path",
        "edits",
      ),
      effects: "draft",
      // By its call: made again after a crash, it finds what it changed.
      idempotent: true,
      execute: (input, context) => documents.edit(input as { path: string; edits: unknown[] }, context),
      compensate: (_, context) => takeBack(drafts, workbenchId, context),
    },
    {
      name: "create_document",
      description:
        "Makes a new, empty .docx, .xlsx or .pptx in the Draft, and says which edits fill it with edit_document. Text files, .csv among them, are made with write_file.",
      inputSchema: inputSchema({ path: { type: "string" } }, "path"),
      effects: "draft",
      idempotent: true,
      execute: (input, context) => documents.create(input as { path: string }, context),
      compensate: (_, context) => takeBack(drafts, workbenchId, context),
    },
  ];
}

/** Documents with macros are no place for an agent's hands, and the formats of before 2007 cannot be read. */
const editable = /\.(?:docx|xlsx|pptx|csv|tsv)$/i;
const creatable = /\.(?:docx|xlsx|pptx)$/i;

/**
 * Documents are read and edited in the thread for them, which a hostile one cannot take the process down with. They go into the
 * Draft as any other write.
 */
class AgentDocuments {
  readonly #environment: Environment;
  readonly #drafts: Drafts;
  readonly #workbenchId: string;

  constructor(environment: Environment, drafts: Drafts, workbenchId: string) {
    this.#environment = environment;
    this.#drafts = drafts;
    this.#workbenchId = workbenchId;
  }

  async read({ path, part }: { path: string; part?: string }, canEdit: boolean): Promise<ToolOutput> {
    const { file, kind } = await this.#file(path);
    const { store, documents, limits } = this.#environment;
    const input = { kind, path: file.path, ...(part !== undefined && { part }), file: store.blobs.pathOf(file.sha256) };
    const withEdits = canEdit && editable.test(file.path);
    return await killable(file.path, async () => ({
      content: await documents.run("describeDocument", { ...input, withEdits }, limits.documentTimeoutMs),
    }));
  }

  async edit({ path, edits }: { path: string; edits: unknown[] }, context: ToolContext): Promise<ToolOutput> {
    const done = await this.#drafts.changeOf(this.#workbenchId, authorOf(context));
    if (done) return await this.#told(done, context);
    const { file, kind } = await this.#file(path);
    if (!editable.test(file.path))
      throw refused(`"${file.path}" cannot be edited: only .docx, .xlsx, .pptx, .csv and .tsv can.`);
    const { store, documents, limits } = this.#environment;
    const input = { kind, path: file.path, file: store.blobs.pathOf(file.sha256), edits };
    return await killable(file.path, async () => {
      const edited = await documents.run("editDocument", input, limits.documentTimeoutMs);
      const written = await this.#write(file.path, edited.bytes, context);
      return await this.#told(written, context, edited.summary.join("\n"));
    });
  }

  async create({ path }: { path: string }, context: ToolContext): Promise<ToolOutput> {
    const done = await this.#drafts.changeOf(this.#workbenchId, authorOf(context));
    if (done) return await this.#told(done, context);
    const checked = parseWorkbenchPath(path, this.#environment.limits);
    const kind = documentKindOf(checked, "");
    if (kind === null || !creatable.test(checked)) {
      throw refused("Only .docx, .xlsx and .pptx can be created as documents. write_file writes text files.");
    }
    if ((await this.#drafts.viewOf(this.#workbenchId)).get(checked)) {
      throw refused(`There is a file "${checked}" already. edit_document changes it.`);
    }
    const { documents, limits } = this.#environment;
    return await killable(checked, async () => {
      const made = await documents.run("createDocument", { kind, path: checked }, limits.documentTimeoutMs);
      const written = await this.#write(checked, made.bytes, context);
      return await this.#told(written, context, made.description);
    });
  }

  async #write(path: string, bytes: Uint8Array, context: ToolContext): Promise<Written> {
    return await this.#drafts.writeDocument(this.#workbenchId, path, bytes, authorOf(context));
  }

  async #told(written: Written, context: ToolContext, more = ""): Promise<ToolOutput> {
    const rest = more === "" ? "" : `\n${more}`;
    if (!written) return { content: `The document is as it was; nothing changed.${rest}` };
    await context.emit(written);
    const how = written.change === "reverted" ? "as it was published again" : `${written.change} in the Draft`;
    return { content: `"${written.path}" is ${how} (${written.bytes} bytes).${rest}` };
  }

  async #file(path: string): Promise<{ file: DraftFile; kind: DocumentKind }> {
    const { limits } = this.#environment;
    const checked = parseWorkbenchPath(path, limits);
    const view = await this.#drafts.viewOf(this.#workbenchId);
    const file = view.get(checked);
    if (!file) {
      const deleted = view.changes.get(checked)?.change === "deleted" ? " It is deleted in the Draft." : "";
      const message = `There is no file "${checked}".${deleted} list_files shows what there is.`;
      throw new BenchtopError("NOT_FOUND", message, { phase: "workshop" });
    }
    const kind = documentKindOf(file.path, file.mediaType);
    if (kind === null || kind === "image") {
      const hint = file.opaque ? "" : " read_file reads it.";
      throw refused(`"${file.path}" is ${file.mediaType}, which is no document.${hint}`);
    }
    if (file.bytes > limits.maxDocumentBytes) {
      throw refused(
        `"${file.path}" has ${file.bytes} bytes; the limit maxDocumentBytes is ${limits.maxDocumentBytes}.`,
      );
    }
    return { file, kind };
  }
}

/** A document that took too long, or too much, is an answer to the model and no failure of the run. */
async function killable(path: string, work: () => Promise<ToolOutput>): Promise<ToolOutput> {
  try {
    return await work();
  } catch (thrown) {
    const why = whyKilled(thrown);
    if (why === undefined) throw thrown;
    return { content: `"${path}" cannot be read. ${why}`, isError: true };
  }
}

function refused(message: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", message, { phase: "workshop" });
}

import type { Tool, ToolContext, ToolOutput } from "@benchtop/harness";
import type { Drafts, Written } from "../../draft/drafts.ts";
import type { DraftFile, DraftView } from "../../draft/view.ts";
import type { Environment } from "../../environment.ts";
import { parseWorkbenchPath } from "../../path/workbench-path.ts";
import { applyEdit } from "./edit.ts";
import { documentReadingTools, documentWritingTools } from "./document-tools.ts";
import { authorOf, takeBack } from "./draft-changes.ts";
import { listLine } from "../instructions.ts";
import { readableBytes, readText } from "./read-text.ts";
import { inputSchema } from "./schema-object.ts";

/**
 * What an agent can do with the files of one workbench: read the Draft over its base, and write the Draft. There is no path of
 * the file system in here, and nothing that could publish.
 */
export function fileTools(environment: Environment, drafts: Drafts, workbenchId: string): Tool[] {
  return [
    ...readingTools(environment, drafts, workbenchId, true),
    ...writingTools(environment, drafts, workbenchId),
    ...documentWritingTools(environment, drafts, workbenchId),
  ];
}

/** Those that change nothing. `canEdit`: others that edit documents are there, too. */
export function readingTools(environment: Environment, drafts: Drafts, workbenchId: string, canEdit = false): Tool[] {
  const files = new AgentFiles(environment, drafts, workbenchId);
  return [
    {
      name: "list_files",
      description: "Lists the files, or those of one folder, with their size in bytes and type.",
      inputSchema: inputSchema({
        folder: { type: "string", description: "Only files below this folder." },
        offset: { type: "integer", minimum: 0, description: "Leave out this many files from the start." },
      }),
      effects: "none",
      idempotent: true,
      execute: (input) => files.list(input as { folder?: string; offset?: number }),
    },
    {
      name: "read_file",
      description: "Reads a text file, or a range of its lines. Each line comes with its number and a tab before it.",
      inputSchema: inputSchema(
        {
          path: { type: "string" },
          start_line: { type: "integer", minimum: 1 },
          end_line: { type: "integer", minimum: 1 },
        },
        "path",
      ),
      effects: "none",
      idempotent: true,
      execute: (input) => files.read(input as { path: string; start_line?: number; end_line?: number }),
    },
    {
      name: "search_files",
      description: "Finds lines that contain a text, or match a JavaScript regular expression, in all text files.",
      inputSchema: inputSchema(
        {
          pattern: { type: "string", minLength: 1, maxLength: 1000 },
          regex: { type: "boolean", description: "The pattern is a regular expression. Default: false." },
          case_sensitive: { type: "boolean", description: "Default: false." },
          folder: { type: "string", description: "Only files below this folder." },
        },
        "pattern",
      ),
      effects: "none",
      idempotent: true,
      execute: (input) => files.search(input as unknown as SearchRequest),
    },
    ...documentReadingTools(environment, drafts, workbenchId, canEdit),
  ];
}

function writingTools(environment: Environment, drafts: Drafts, workbenchId: string): Tool[] {
  const files = new AgentFiles(environment, drafts, workbenchId);
  return [
    {
      name: "write_file",
      description:
        "Writes a whole text file in the Draft: a new one, or in place of an existing one. Folders need not exist.",
      inputSchema: inputSchema({ path: { type: "string" }, content: { type: "string" }, summary }, "path", "content"),
      effects: "draft",
      idempotent: true,
      execute: (input, context) => files.write(input as { path: string; content: string }, context),
      compensate: (_, context) => takeBack(drafts, workbenchId, context),
    },
    {
      name: "edit_file",
      description:
        "Replaces one exact piece of a text file in the Draft. old_text must occur exactly once (give more of its surroundings if it does not), without line numbers; or set replace_all.",
      inputSchema: inputSchema(
        {
          path: { type: "string" },
          old_text: { type: "string", minLength: 1 },
          new_text: { type: "string" },
          replace_all: { type: "boolean", description: "Replace every occurrence. Default: false." },
          summary,
        },
        "path",
        "old_text",
        "new_text",
      ),
      effects: "draft",
      // By its call: made again after a crash, it finds what it changed.
      idempotent: true,
      execute: (input, context) => files.edit(input as unknown as EditRequest, context),
      compensate: (_, context) => takeBack(drafts, workbenchId, context),
    },
    {
      name: "delete_file",
      description: "Marks a file as deleted in the Draft. The person has to confirm it before it can be published.",
      inputSchema: inputSchema({ path: { type: "string" }, summary }, "path"),
      effects: "draft",
      idempotent: true,
      execute: (input, context) => files.delete(input as { path: string }, context),
      compensate: (_, context) => takeBack(drafts, workbenchId, context),
    },
  ];
}

/** Shown beside the file in Review. */
const summary = {
  type: "string",
  maxLength: 500,
  description: "What changes in this file and why, in a few words, for the person who reviews it.",
} as const;

interface SearchRequest {
  pattern: string;
  regex?: boolean;
  case_sensitive?: boolean;
  folder?: string;
}

interface EditRequest {
  path: string;
  old_text: string;
  new_text: string;
  replace_all?: boolean;
  summary?: string;
}

const shownFiles = 500;
const shownLines = 2000;
const shownCharacters = 60_000;
const shownLineCharacters = 2000;
const shownMatches = 100;
class AgentFiles {
  readonly #environment: Environment;
  readonly #drafts: Drafts;
  readonly #workbenchId: string;

  constructor(environment: Environment, drafts: Drafts, workbenchId: string) {
    this.#environment = environment;
    this.#drafts = drafts;
    this.#workbenchId = workbenchId;
  }

  async list({ folder, offset = 0 }: { folder?: string; offset?: number }): Promise<ToolOutput> {
    const files = this.#below(await this.#view(), folder);
    const shown = files.slice(offset, offset + shownFiles);
    if (files.length === 0)
      return said(folder === undefined ? "There are no files." : "There are no files below this folder.");
    const next = offset + shown.length;
    const rest = next < files.length ? `\n… ${files.length - next} more: ask again with offset ${next}.` : "";
    return said(`${shown.map(listLine).join("\n")}${rest}`);
  }

  async read(request: { path: string; start_line?: number; end_line?: number }): Promise<ToolOutput> {
    const { file, text } = await this.#text(request.path);
    const lines = text.split("\n");
    if (lines.at(-1) === "") lines.pop();
    if (lines.length === 0) return said(`"${file.path}" is empty.`);
    const start = request.start_line ?? 1;
    const end = Math.min(request.end_line ?? lines.length, lines.length, start + shownLines - 1);
    if (start > lines.length || end < start) {
      return failed(
        `"${file.path}" has ${lines.length} lines; there is no range from ${start} to ${request.end_line ?? "its end"}.`,
      );
    }
    const shown: string[] = [];
    let room = shownCharacters;
    for (let number = start; number <= end && room > 0; number++) {
      const line = numbered(number, lines[number - 1] ?? "");
      room -= line.length;
      shown.push(line);
    }
    const last = start + shown.length - 1;
    const rest =
      last < lines.length ? `\n(Lines ${start} to ${last} of ${lines.length}. Ask for more with start_line.)` : "";
    return said(`${shown.join("\n")}${rest}`);
  }

  async search(request: SearchRequest): Promise<ToolOutput> {
    const { compute, store, limits } = this.#environment;
    const files = this.#below(await this.#view(), request.folder).filter(isSearchable);
    try {
      const { matches, truncated } = await compute.run(
        "searchTexts",
        {
          files: files.map(({ path, sha256 }) => ({ path, blob: store.blobs.pathOf(sha256) })),
          pattern: request.pattern,
          regex: request.regex ?? false,
          caseSensitive: request.case_sensitive ?? false,
          maxMatches: shownMatches,
        },
        limits.searchTimeoutMs,
      );
      if (matches.length === 0) return said("Nothing was found.");
      const lines = matches.map(({ path, line, text }) => `${path}:${line}: ${text}`);
      return said(`${lines.join("\n")}${truncated ? `\n(Only the first ${shownMatches} matches are shown.)` : ""}`);
    } catch (thrown) {
      const { code, message } = thrown as { code?: unknown; message?: unknown };
      if (code === "EPATTERN") return failed(`This is no valid regular expression: ${String(message)}.`);
      if (code === "ETIMEDOUT") return failed("The search took too long. Search for a plain text, or in one folder.");
      throw thrown;
    }
  }

  async write({ path, content }: { path: string; content: string }, context: ToolContext): Promise<ToolOutput> {
    const written = await this.#drafts.write(this.#workbenchId, path, content, authorOf(context));
    return await this.#told(written, context, `"${path}" has this content already; nothing changed.`);
  }

  async edit(request: EditRequest, context: ToolContext): Promise<ToolOutput> {
    const done = await this.#drafts.changeOf(this.#workbenchId, authorOf(context));
    if (done) return await this.#told(done, context, "");
    const { file, text } = await this.#text(request.path);
    const edited = applyEdit(text, request.old_text, request.new_text, request.replace_all ?? false);
    if ("problem" in edited) return failed(`"${file.path}" was not changed: ${edited.problem}`);
    const written = await this.#drafts.write(this.#workbenchId, file.path, edited.text, authorOf(context));
    return await this.#told(written, context, "The new text is the same as the old one; nothing changed.");
  }

  async delete({ path }: { path: string }, context: ToolContext): Promise<ToolOutput> {
    const written = await this.#drafts.remove(this.#workbenchId, path, authorOf(context));
    return await this.#told(written, context, `"${path}" is deleted in the Draft already.`);
  }

  async #told(written: Written, context: ToolContext, unchanged: string): Promise<ToolOutput> {
    if (!written) return said(unchanged);
    await context.emit(written);
    if (written.change === "deleted")
      return said(`"${written.path}" is marked as deleted; the person has to confirm it.`);
    if (written.change === "reverted") return said(`"${written.path}" is as it was published again.`);
    return said(`"${written.path}" is ${written.change} in the Draft (${written.bytes} bytes).`);
  }

  async #view(): Promise<DraftView> {
    return await this.#drafts.viewOf(this.#workbenchId);
  }

  #below(view: DraftView, folder: string | undefined): DraftFile[] {
    const files = view.files();
    if (folder === undefined || folder === "" || folder === ".") return files;
    const checked = parseWorkbenchPath(folder.replace(/\/$/, ""), this.#environment.limits);
    return files.filter((file) => file.path.startsWith(`${checked}/`));
  }

  async #text(path: string): Promise<{ file: DraftFile; text: string }> {
    return await readText(this.#environment, await this.#view(), path);
  }
}

function isSearchable(file: DraftFile): boolean {
  return !file.opaque && file.bytes <= readableBytes;
}

function numbered(number: number, line: string): string {
  const text =
    line.length > shownLineCharacters ? `${line.slice(0, shownLineCharacters)}… (${line.length} characters)` : line;
  return `${number}\t${text}`;
}

function said(content: string): ToolOutput {
  return { content };
}

function failed(content: string): ToolOutput {
  return { content, isError: true };
}

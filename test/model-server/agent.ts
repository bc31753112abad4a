import type { Behaviour } from "./behaviours.ts";
import type { ModelRequest, Turn } from "./conversation.ts";
import { fixTotals, summarise } from "./files.ts";
import { attacks } from "./attacks.ts";
import { gradeFor } from "./grading.ts";
import { toolbox, type Change, type Plan, type Step } from "./toolbox.ts";

/** What the "model" says next: text, tool calls, or both. No calls means that it is done. */
export interface Move {
  readonly text: string;
  readonly calls: readonly { readonly callId: string; readonly name: string; readonly arguments: string }[];
}

/**
 * Decides the next move from the conversation alone, as a model does: look at the files, read them, do what the task
 * says one change at a time, then answer. The same conversation always gives the same move.
 */
export function nextMove(asked: ModelRequest, behaviour: Behaviour): Move {
  const turn = currentTurn(asked.turns);
  if (behaviour.silent === true) return { text: "", calls: [] };
  if (behaviour.restless === true) return restlessMove(asked, turn);
  if (asked.tools.length === 0) return say(plainAnswer(asked.turns, turn));
  const plan = behaviour.malicious === true ? attacks(asked.tools) : planOf(asked, turn);
  const open = plan.steps.filter((step) => !turn.calls.some((call) => sameCall(call, step)));
  const next = open.length === 0 ? [] : behaviour.malicious === true ? open.slice(0, 1) : open.slice(0, plan.atOnce);
  if (next.length === 0) return say(plan.answer);
  return {
    text: turn.calls.length === 0 ? "Let me look at the files first." : "",
    calls: next.map((step, index) => ({
      callId: `call_${asked.turns.length}_${index}`,
      name: step.name,
      arguments: behaviour.brokenArguments === true ? `{"path": ${step.name}` : JSON.stringify(step.arguments),
    })),
  };
}

/** What was said since the last finished answer. */
interface CurrentTurn {
  /** The task, then hints given while it runs. */
  readonly said: readonly string[];
  readonly calls: readonly { readonly name: string; readonly arguments: string; readonly result: string }[];
}

/** An answer is finished when no call follows it. */
function currentTurn(turns: readonly Turn[]): CurrentTurn {
  const start =
    turns.findLastIndex((turn, index) => turn.role === "assistant" && turns[index + 1]?.role !== "call") + 1;
  const since = turns.slice(start);
  const results = new Map(since.flatMap((turn) => (turn.role === "result" ? [[turn.callId, turn.text]] : [])));
  return {
    said: since.flatMap((turn) => (turn.role === "user" ? [turn.text] : [])),
    calls: since.flatMap((turn) =>
      turn.role === "call"
        ? [{ name: turn.name, arguments: turn.arguments, result: results.get(turn.callId) ?? "" }]
        : [],
    ),
  };
}

/** List, then read what matters, then one call a change. Steps that depend on a result appear once it is there. */
function planOf(asked: ModelRequest, turn: CurrentTurn): Plan {
  const task = turn.said.join("\n");
  const tool = toolbox(asked.tools);
  const list = tool.list();
  const steps: Step[] = [list];
  const listed = turn.calls.find((call) => sameCall(call, list));
  if (listed === undefined) return { steps, atOnce: 1, answer: "" };

  const reads = pathsIn(listed.result).filter(isText).slice(0, 40).map(tool.read);
  if (needsContent(task)) steps.push(...reads);
  const contents = new Map<string, string>();
  for (const read of needsContent(task) ? reads : []) {
    const call = turn.calls.find((call) => sameCall(call, read));
    if (call === undefined) return { steps, atOnce: 8, answer: "" };
    contents.set(pathOf(read), withoutLineNumbers(call.result));
  }
  const changes = changesOf(task, contents);
  const proposal = tool.propose(changes);
  steps.push(...(proposal === undefined ? changes.map((change) => tool.change(change)) : [proposal]));
  const done = changes.map(({ says }) => says);
  const kept = tool.remember(task);
  if (kept) {
    steps.push(kept);
    done.push("I will remember it.");
  }
  if (done.length === 0) return { steps, atOnce: 8, answer: describe(task, contents, pathsIn(listed.result)) };
  return { steps, atOnce: 1, answer: `Done. ${done.join(" ")} Review the Draft before you publish it.` };
}

const fileName = String.raw`[\x60"']?([\p{L}\p{N}_][\p{L}\p{N}_./-]*\.\p{L}\w{0,9})[\x60"']?`;

/**
 * The changes that a task asks for. Understands "make the totals consistent", `replace "a" with "b" in FILE`,
 * `delete FILE`, `add FILE [with "content"]`, and "write 40 notes".
 */
function changesOf(task: string, contents: Map<string, string>): Change[] {
  const changes: Change[] = [];
  if (wantsTotals(task)) {
    for (const [path, content] of contents) {
      const fixed = fixTotals(path, content);
      for (const { before, after, whole } of fixed) {
        changes.push({ kind: "edit", path, before, after, whole, says: `The totals in ${path} add up now.` });
      }
      const last = fixed.at(-1);
      if (last) contents.set(path, last.whole);
    }
  }
  for (const [, before = "", after = "", path = ""] of task.matchAll(
    new RegExp(String.raw`replace\s+"([^"]+)"\s+with\s+"([^"]*)"\s+in\s+${fileName}`, "giu"),
  )) {
    const whole = (contents.get(path) ?? "").replace(before, () => after);
    contents.set(path, whole);
    changes.push({ kind: "edit", path, before, after, whole, says: `I changed ${path}.` });
  }
  for (const [, path = ""] of task.matchAll(
    new RegExp(String.raw`\b(?:delete|remove)\s+(?:the\s+)?(?:file\s+)?${fileName}`, "giu"),
  )) {
    contents.delete(path);
    changes.push({ kind: "delete", path, says: `I asked to delete ${path}.` });
  }
  for (const [, path = "", content] of task.matchAll(
    new RegExp(
      String.raw`\b(?:add|write|create|make)\s+(?:an?\s+|the\s+)?(?:file\s+)?${fileName}(?:\s+(?:with|saying)\s+"([^"]*)")?`,
      "giu",
    ),
  )) {
    const text = content === undefined ? summarise(contents, path) : `${content}\n`;
    changes.push({ kind: "write", path, content: text, says: `I added ${path}.` });
  }
  const notes = Number(/\b(?:add|write|create|make)\s+(\d{1,5})\s+notes\b/i.exec(task)?.[1] ?? 0);
  for (let i = 1; i <= notes; i++) {
    changes.push({
      kind: "write",
      path: `notes/note-${i}.md`,
      content: `# Note ${i}\n`,
      says: i === 1 ? `I wrote ${notes} notes.` : "",
    });
  }
  return changes;
}

function wantsTotals(task: string): boolean {
  return /\b(?:sub)?totals?\b/i.test(task) && /consistent|fix|correct|right|add up|agree/i.test(task);
}

function needsContent(task: string): boolean {
  return wantsTotals(task) || /\b(?:replace|summar\w*|add|write|create|describe|read|what)\b/i.test(task);
}

function describe(task: string, contents: ReadonlyMap<string, string>, paths: readonly string[]): string {
  if (contents.size === 0) return `There are ${paths.length} files: ${paths.join(", ")}. Nothing needed to change.`;
  return `${summarise(contents, "")}\n\nNothing needed to change for “${task.slice(0, 80)}”.`;
}

/** A plain prompt: grades, counts, repeats, remembers, or says what it was asked. */
function plainAnswer(turns: readonly Turn[], turn: CurrentTurn): string {
  const prompt = turn.said.join("\n");
  const grade = gradeFor(prompt);
  if (grade !== undefined) return grade;
  const upTo = /\bcount to (\d{1,6})/i.exec(prompt)?.[1];
  if (upTo !== undefined) return Array.from({ length: Number(upTo) }, (_, i) => i + 1).join(" ");
  const repeated = /^\s*repeat:?\s+([\s\S]+)$/i.exec(prompt)?.[1];
  if (repeated !== undefined) return repeated;
  if (/what did i (?:say|ask|tell)/i.test(prompt)) {
    const earlier = turns.flatMap((turn) => (turn.role === "user" ? [turn.text] : [])).slice(0, -1);
    return earlier.length === 0 ? "You have not said anything before." : `Earlier you said: ${earlier.join(" | ")}`;
  }
  return `You asked: ${prompt}\n\nThis is a loopback server for tests; it has no opinion, but it heard every word.`;
}

/** Never finishes by itself: lists files for ever, until a hint says "stop". */
function restlessMove(asked: ModelRequest, turn: CurrentTurn): Move {
  const stop = turn.said.slice(1).find((hint) => /\bstop\b/i.test(hint));
  if (stop !== undefined) return say(`Stopped, as the hint says: ${stop}`);
  if (asked.tools.length === 0) return say(Array.from({ length: 100_000 }, (_, i) => i + 1).join(" "));
  const list = toolbox(asked.tools).list();
  const callId = `call_${asked.turns.length}`;
  return { text: "Still looking.", calls: [{ callId, name: list.name, arguments: JSON.stringify(list.arguments) }] };
}

/** Paths in what a list tool answered: JSON, or one a line (as a JSON string, or up to two spaces, a tab or the end). */
function pathsIn(listing: string): string[] {
  try {
    const value: unknown = JSON.parse(listing);
    const items = Array.isArray(value) ? value : Object.values(value as object).find(Array.isArray);
    return (items ?? []).map((item: unknown) =>
      typeof item === "string" ? item : String((item as { path?: unknown }).path),
    );
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return listing.split("\n").flatMap(pathInLine);
  }
}

function pathInLine(line: string): string[] {
  const quoted = /^\s*("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
  if (quoted !== undefined) return [String(JSON.parse(quoted))];
  const plain = /^\s*(?:[-*] )?(\S.*?\.\w+)(?=\s{2}|\t| \(|\s*$)/.exec(line)?.[1];
  return plain === undefined ? [] : [plain];
}

/** Read tools may put a number and a tab before each line. */
function withoutLineNumbers(content: string): string {
  const lines = content.split("\n");
  if (!lines.every((line) => /^\d+\t/.test(line))) return content;
  return lines.map((line) => line.replace(/^\d+\t/, "")).join("\n") + "\n";
}

function isText(path: string): boolean {
  return /\.(?:md|txt|csv|tsv|json|ya?ml|html?|xml|[cm]?[jt]sx?|py|rb|go|rs|java|c|h|css|sql|sh|toml|ini)$/i.test(path);
}

function pathOf(step: Step): string {
  const [path] = Object.values(step.arguments);
  return typeof path === "string" ? path : "";
}

function sameCall(call: { readonly name: string; readonly arguments: string }, step: Step): boolean {
  return call.name === step.name && normalised(call.arguments) === JSON.stringify(step.arguments);
}

/** The arguments may come back with other spacing. */
function normalised(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text === "" ? "{}" : text));
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

function say(text: string): Move {
  return { text, calls: [] };
}

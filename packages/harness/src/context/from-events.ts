import {
  Attachment,
  type AssistantMessage,
  type EventOf,
  type Json,
  type Message,
  type RunEvent,
  type ToolCall,
  type ToolMessage,
} from "@benchtop/protocol";
import { summaryMessage } from "./summary.ts";

/**
 * The messages that a run added to its conversation, read from its journal: what it was asked, hints, answers, tool
 * results. Of a run that failed or was canceled it keeps what was said. Every tool call has a result: one that never
 * ran, or whose outcome nobody knows, says so, for a model must not be led to believe otherwise.
 *
 * What was asked is the text that `RunStarted.input` is, or its `prompt` or `task`, as the gates let it pass.
 */
export function messagesFromEvents(events: readonly RunEvent[]): Message[] {
  return read(events).entries.map(({ message }) => message);
}

/** What is left of a conversation after a run, as that run left it: its own messages, and what of those before. */
export interface RunMessages {
  readonly messages: readonly Message[];
  /** How many messages of the turns before are left, the newest; all when the run dropped none. */
  readonly keptHistory?: number;
  /** What stands in the place of those that went. */
  readonly summary?: string;
}

/** The same with what the run itself dropped from its context, so that a later run does not start longer than this one ended. */
export function runMessages(events: readonly RunEvent[]): RunMessages {
  const { entries, trimmed } = read(events);
  const answers = trimmed.reduce((dropped, { place, keptAnswers = 0 }) => {
    const before = entries.slice(0, place).filter((entry) => entry.isAnswer && !dropped.has(entry));
    return new Set([...dropped, ...before.slice(0, Math.max(0, before.length - keptAnswers))]);
  }, new Set<Entry>());
  const last = trimmed.at(-1);
  return {
    messages: entries.filter((entry) => !answers.has(entry)).map(({ message }) => message),
    ...(last && { keptHistory: Math.min(...trimmed.map(({ keptHistory = 0 }) => keptHistory)) }),
    ...(last?.summary !== undefined && { summary: last.summary }),
  };
}

/** A conversation with one more run. Where what was kept begins with a result, its call is gone, and so it goes too. */
export function continued(history: readonly Message[], run: RunMessages): readonly Message[] {
  const { messages, keptHistory = Number.POSITIVE_INFINITY, summary } = run;
  const summarized = summary === undefined ? [] : [summaryMessage(summary)];
  let going = history.filter(({ role }) => role !== "system").length - keptHistory;
  if (going <= 0) return [...summarized, ...history, ...messages];
  const kept = history.filter(({ role }) => {
    if (role === "system") return true;
    going -= 1;
    if (going === -1 && role === "tool") going = 0;
    return going < 0;
  });
  return [...summarized, ...kept, ...messages];
}

interface Entry {
  readonly message: Message;
  readonly isAnswer: boolean;
}

type Trimmed = Pick<EventOf<"ContextTrimmed">, "keptHistory" | "keptAnswers" | "summary"> & { readonly place: number };

function read(events: readonly RunEvent[]): {
  readonly entries: readonly Entry[];
  readonly trimmed: readonly Trimmed[];
} {
  const known = indexOf(events);
  const entries: Entry[] = [];
  const trimmed: Trimmed[] = [];
  const say = (message: Message) =>
    entries.push({ message, isAnswer: message.role === "assistant" || message.role === "tool" });
  let open: { readonly callId: string; text: string } | undefined;
  for (const event of events) {
    switch (event.type) {
      case "RunStarted": {
        const asked = known.input ?? askedIn(event.input);
        if (asked !== undefined && !known.inputWasRefused)
          say({ role: "user", content: asked, ...attached(event.input) });
        break;
      }
      case "HintInjected":
        say({ role: "user", content: event.text });
        break;
      case "ContextTrimmed":
        if (event.keptHistory !== undefined) trimmed.push({ ...event, place: entries.length });
        break;
      case "ProviderCallStarted":
        // Whatever a crash left of a call before is said once more by this one.
        if (event.purpose === undefined) open = { callId: event.callId, text: "" };
        break;
      case "OutputDelta":
        if (event.channel === "text" && event.callId === open?.callId) open.text += event.text;
        break;
      case "ProviderCallFinished": {
        if (known.passedOver.has(event.callId)) break;
        const answer = event.message ?? { role: "assistant", content: open?.callId === event.callId ? open.text : "" };
        open = undefined;
        for (const message of answered(answer, known)) say(message);
        break;
      }
      default:
    }
  }
  if (open) for (const message of answered({ role: "assistant", content: open.text }, known)) say(message);
  return { entries, trimmed };
}

/** What later events say of earlier ones. */
interface Known {
  readonly requested: ReadonlySet<string>;
  readonly finished: ReadonlyMap<string, EventOf<"ToolCallFinished">>;
  /** Provider calls that are no part of the conversation: for another purpose, made once more after they failed, or refused by a gate. */
  readonly passedOver: ReadonlySet<string>;
  /** The input after redaction. */
  readonly input: string | undefined;
  readonly inputWasRefused: boolean;
}

function indexOf(events: readonly RunEvent[]): Known {
  const requested = new Set<string>();
  const finished = new Map<string, EventOf<"ToolCallFinished">>();
  const passedOver = new Set<string>();
  let failed: string | undefined;
  let input: string | undefined;
  let inputWasRefused = false;
  for (const event of events) {
    switch (event.type) {
      case "ToolCallRequested":
        requested.add(event.callId);
        break;
      case "ToolCallFinished":
        finished.set(event.callId, event);
        break;
      case "ProviderCallStarted":
        if (event.purpose !== undefined) passedOver.add(event.callId);
        else if (failed !== undefined) passedOver.add(failed);
        break;
      case "ProviderCallFinished":
        if (event.error?.error_code === "POLICY_DENIED") passedOver.add(event.callId);
        if (!passedOver.has(event.callId)) failed = event.error ? event.callId : undefined;
        break;
      case "GateDecided":
        if (event.point !== "input" || event.mode !== "enforcing") break;
        if (event.decision === "redact") input = event.replacement;
        if (event.decision === "deny" || event.decision === "ask") inputWasRefused = true;
        break;
      default:
    }
  }
  return { requested, finished, passedOver, input, inputWasRefused };
}

function askedIn(input: Json): string | undefined {
  if (typeof input === "string") return input;
  if (typeof input !== "object" || input === null || Array.isArray(input)) return undefined;
  const asked = input["prompt"] ?? input["task"];
  return typeof asked === "string" ? asked : undefined;
}

function attached(input: Json): { attachments?: Attachment[] } {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return {};
  const { data = [] } = Attachment.array().safeParse(input["attachments"]);
  return data.length > 0 ? { attachments: data } : {};
}

function answered(answer: AssistantMessage, { requested, finished }: Known): Message[] {
  const calls = answer.toolCalls ?? [];
  if (answer.content === "" && answer.refusal === undefined && calls.length === 0) return [];
  return [answer, ...calls.map((call) => resultOf(call, requested, finished.get(call.callId)))];
}

function resultOf(
  { callId, name }: ToolCall,
  requested: ReadonlySet<string>,
  result: EventOf<"ToolCallFinished"> | undefined,
): ToolMessage {
  if (result) {
    const { content, outcome } = result;
    return { role: "tool", callId, name, content, ...(outcome !== "success" && { isError: true }) };
  }
  const content = requested.has(callId)
    ? "The run was interrupted while this tool ran; nobody knows whether it took effect."
    : "Not executed: the run ended before it came to this call.";
  return { role: "tool", callId, name, content, isError: true };
}

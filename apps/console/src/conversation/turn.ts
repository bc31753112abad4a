import type { EventOf, Failure, Json, RunEvent, RunTotals } from "@benchtop/protocol";

/** What one run says in a conversation: its journal, read as blocks in the order in which they came about. */
export interface Turn {
  readonly blocks: readonly Block[];
  readonly status: "running" | "waiting" | "success" | "error";
  readonly startedAt: string | undefined;
  readonly endedAt: string | undefined;
  readonly totals: RunTotals | undefined;
  /** While it runs: what the finished calls have reported so far. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costMicros: number | undefined;
  /** Files that the run has changed in the Draft, newest change of each. */
  readonly changes: ReadonlyMap<string, EventOf<"DraftChanged">["change"]>;
  /** What the run began with and what it reports at its end, where those are objects. */
  readonly input: Facts;
  readonly result: Facts;
  /** What the run says at its end. */
  readonly output: string | undefined;
  /** Kept texts of the run by name: a proposal, and what came of applying it. */
  readonly artifacts: ReadonlyMap<string, EventOf<"ArtifactWritten">>;
}

export type Facts = Readonly<Record<string, Json>>;

export type Block =
  | { readonly kind: "text"; readonly id: string; text: string; live: boolean; refusal: boolean }
  | { readonly kind: "reasoning"; readonly id: string; text: string; live: boolean }
  | ToolBlock
  | { readonly kind: "hint"; readonly id: string; readonly text: string }
  | { readonly kind: "note"; readonly id: string; readonly text: string }
  | DecisionBlock
  | { readonly kind: "phases"; readonly id: string; readonly phases: PhaseState[] }
  | { readonly kind: "checkpoint"; readonly id: string; readonly event: EventOf<"CheckpointCreated"> }
  | { readonly kind: "error"; readonly id: string; readonly failure: Failure };

/** What the run asked a person, and the answer once there is one. */
export interface DecisionBlock {
  readonly kind: "decision";
  readonly id: string;
  readonly asked: EventOf<"Suspended">;
  readonly answer: EventOf<"Resumed"> | undefined;
}

export interface ToolBlock {
  readonly kind: "tool";
  readonly id: string;
  readonly name: string;
  readonly arguments: Json;
  readonly seq: number;
  result: EventOf<"ToolCallFinished"> | undefined;
  readonly changes: EventOf<"DraftChanged">[];
}

export interface PhaseState {
  readonly phase: string;
  readonly at: string;
  done: number | undefined;
  total: number | undefined;
  finished: boolean;
}

/** Reads events as they arrive; `read` may be called with a growing list and looks at each event once. */
export class TurnReader {
  #seen = 0;
  #blocks: Block[] = [];
  /** Where each block is: a run may have a hundred thousand of them. */
  readonly #places = new Map<string, number>();
  #status: Turn["status"] = "running";
  #startedAt: string | undefined;
  #endedAt: string | undefined;
  #totals: RunTotals | undefined;
  #inputTokens = 0;
  #outputTokens = 0;
  #costMicros: number | undefined;
  readonly #changes = new Map<string, EventOf<"DraftChanged">["change"]>();
  #input: Facts = {};
  #result: Facts = {};
  #output: string | undefined;
  readonly #artifacts = new Map<string, EventOf<"ArtifactWritten">>();

  read(events: readonly RunEvent[]): Turn {
    for (; this.#seen < events.length; this.#seen++) {
      const event = events[this.#seen];
      if (event !== undefined) this.#take(event);
    }
    return {
      blocks: [...this.#blocks],
      status: this.#status,
      startedAt: this.#startedAt,
      endedAt: this.#endedAt,
      totals: this.#totals,
      inputTokens: this.#inputTokens,
      outputTokens: this.#outputTokens,
      costMicros: this.#costMicros,
      changes: this.#changes,
      input: this.#input,
      result: this.#result,
      output: this.#output,
      artifacts: this.#artifacts,
    };
  }

  #take(event: RunEvent): void {
    switch (event.type) {
      case "RunStarted":
        this.#startedAt = event.at;
        this.#input = factsOf(event.input);
        break;
      case "ProviderCallStarted":
        // Another attempt says everything again.
        this.#forget([`${event.callId}:reasoning`, `${event.callId}:text`]);
        break;
      case "OutputDelta":
        this.#append(event);
        break;
      case "ProviderCallFinished":
        this.#finishCall(event);
        break;
      case "ToolCallRequested":
        this.#add({
          kind: "tool",
          id: event.callId,
          name: event.name,
          arguments: event.arguments,
          seq: event.seq,
          result: undefined,
          changes: [],
        });
        break;
      case "ToolCallFinished":
        this.#replaceTool(event.callId, (tool) => ({ ...tool, result: event }));
        break;
      case "DraftChanged":
        this.#changes.set(event.path, event.change);
        if (event.callId !== undefined) {
          this.#replaceTool(event.callId, (tool) => ({ ...tool, changes: [...tool.changes, event] }));
        }
        break;
      case "HintInjected":
        this.#add({ kind: "hint", id: `hint:${event.seq}`, text: event.text });
        break;
      case "PhaseChanged":
        this.#takePhase(event);
        break;
      case "CheckpointCreated":
        this.#add({ kind: "checkpoint", id: event.checkpointId, event });
        break;
      case "RetryScheduled":
        this.#note(
          event.seq,
          event.reason === "fallback"
            ? `${event.error.message} Asking ${event.providerId}/${event.modelId} instead.`
            : `${event.error.message} Attempt ${event.attempt} in ${Math.ceil(event.delayMs / 1000)} s.`,
        );
        break;
      case "CandidatesSkipped":
        if (event.purpose === undefined) this.#passOver(event);
        break;
      case "MemoryRetrieved":
        if (event.items.length > 0) this.#note(event.seq, recalled(event));
        break;
      case "MemoryWritten":
        this.#note(
          event.seq,
          event.lane === "working" ? "Noted for this workbench." : "Remembered for this workbench.",
        );
        break;
      case "ContextTrimmed":
        this.#note(
          event.seq,
          event.summary === undefined
            ? `${event.droppedMessages} earlier messages were left out: the conversation is longer than the model can read.`
            : `${event.droppedMessages} earlier messages were summarized: the conversation is longer than the model can read.`,
        );
        break;
      case "Suspended":
        this.#status = "waiting";
        this.#add({ kind: "decision", id: `decision:${event.callId}`, asked: event, answer: undefined });
        break;
      case "Resumed":
        this.#resume(event);
        break;
      case "ArtifactWritten":
        this.#artifacts.set(event.name, event);
        break;
      case "Completed":
        this.#result = factsOf(event.result);
        this.#output = event.output;
        this.#end("success", event.at, event.totals);
        break;
      case "Error":
        this.#add({ kind: "error", id: "error", failure: event.error });
        this.#end("error", event.at, event.totals);
        break;
      case "StepStarted":
      case "StepFinished":
      case "TimedOut":
      case "ConsentRequired":
      case "BudgetExceeded":
      case "ContextAssembled":
      case "GateDecided":
      case "SubRunStarted":
      case "SubRunFinished":
      case "MetricLogged":
      case "Compensated":
        // The terminal event says in words what these say in detail.
        break;
    }
  }

  /** Each model once, however many turns it is passed over. */
  #passOver({ skipped }: EventOf<"CandidatesSkipped">): void {
    for (const { providerId, modelId, reason } of skipped) {
      const id = `passed-over:${providerId}/${modelId}:${reason}`;
      const text = `${providerId}/${modelId} was passed over: ${reason}.`;
      if (!this.#has(id)) this.#add({ kind: "note", id, text });
    }
  }

  #append({ callId, channel, text }: EventOf<"OutputDelta">): void {
    const kind = channel === "reasoning" ? "reasoning" : "text";
    const id = `${callId}:${kind}`;
    const block = this.#get(id);
    if (block?.kind === "text" || block?.kind === "reasoning") {
      this.#replace({ ...block, text: block.text + text });
    } else if (kind === "reasoning") {
      this.#add({ kind, id, text, live: true });
    } else {
      this.#settle(`${callId}:reasoning`);
      this.#add({ kind, id, text, live: true, refusal: channel === "refusal" });
    }
  }

  /** The call's whole message stands for its deltas: stored turns come without them. */
  #finishCall({ callId, message, usage, costMicros }: EventOf<"ProviderCallFinished">): void {
    this.#inputTokens += usage?.inputTokens ?? 0;
    this.#outputTokens += usage?.outputTokens ?? 0;
    if (costMicros !== undefined) this.#costMicros = (this.#costMicros ?? 0) + costMicros;
    const reasoning = message?.reasoning;
    if (reasoning !== undefined && reasoning !== "" && !this.#has(`${callId}:reasoning`)) {
      this.#add({ kind: "reasoning", id: `${callId}:reasoning`, text: reasoning, live: false });
    }
    const text = message === undefined ? "" : message.content === "" ? (message.refusal ?? "") : message.content;
    if (text !== "" && !this.#has(`${callId}:text`)) {
      const refusal = message?.content === "";
      this.#add({ kind: "text", id: `${callId}:text`, text, live: false, refusal });
    }
    this.#settle(`${callId}:reasoning`);
    this.#settle(`${callId}:text`);
  }

  #resume(event: EventOf<"Resumed">): void {
    this.#status = "running";
    const block = this.#get(`decision:${event.callId ?? ""}`);
    if (block?.kind === "decision") return this.#replace({ ...block, answer: event });
    if (event.reason === "crash") this.#note(event.seq, "Benchtop stopped here, and went on from its journal.");
    if (event.reason === "fork") this.#note(event.seq, "Up to here as in the run that this one was forked from.");
  }

  #takePhase(event: EventOf<"PhaseChanged">): void {
    const block = this.#get("phases");
    const before = block?.kind === "phases" ? block.phases : [];
    const last = before.at(-1);
    const state = { phase: event.phase, at: event.at, done: event.done, total: event.total, finished: false };
    const phases =
      last?.phase === event.phase
        ? [...before.slice(0, -1), { ...state, at: last.at }]
        : [...before.map((phase) => ({ ...phase, finished: true })), state];
    if (block === undefined) this.#add({ kind: "phases", id: "phases", phases });
    else this.#replace({ kind: "phases", id: "phases", phases });
  }

  #end(status: "success" | "error", at: string, totals: RunTotals): void {
    this.#status = status;
    this.#endedAt = at;
    this.#totals = totals;
    this.#blocks = this.#blocks.map((block) => {
      if ((block.kind === "text" || block.kind === "reasoning") && block.live) return { ...block, live: false };
      if (block.kind === "phases" && status === "success") {
        return { ...block, phases: block.phases.map((phase) => ({ ...phase, finished: true })) };
      }
      return block;
    });
  }

  #note(seq: number, text: string): void {
    this.#add({ kind: "note", id: `note:${seq}`, text });
  }

  #settle(id: string): void {
    const block = this.#get(id);
    if (block?.kind === "text" || block?.kind === "reasoning") this.#replace({ ...block, live: false });
  }

  #replaceTool(callId: string, change: (tool: ToolBlock) => ToolBlock): void {
    const block = this.#get(callId);
    if (block?.kind === "tool") this.#replace(change(block));
  }

  #has(id: string): boolean {
    return this.#places.has(id);
  }

  #get(id: string): Block | undefined {
    const place = this.#places.get(id);
    return place === undefined ? undefined : this.#blocks[place];
  }

  #add(block: Block): void {
    this.#places.set(block.id, this.#blocks.push(block) - 1);
  }

  #replace(block: Block): void {
    const place = this.#places.get(block.id);
    if (place !== undefined) this.#blocks[place] = block;
  }

  #forget(ids: readonly string[]): void {
    if (!ids.some((id) => this.#places.has(id))) return;
    this.#blocks = this.#blocks.filter(({ id }) => !ids.includes(id));
    this.#places.clear();
    for (const [place, { id }] of this.#blocks.entries()) this.#places.set(id, place);
  }
}

export function factsOf(value: Json | undefined): Facts {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

function recalled({ lane, items }: EventOf<"MemoryRetrieved">): string {
  const what = lane === "working" ? "note" : "remembered text";
  return `Read ${items.length} ${what}${items.length === 1 ? "" : "s"} of this workbench.`;
}

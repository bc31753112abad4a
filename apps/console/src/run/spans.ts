import type { RunEvent } from "@benchtop/protocol";

/** A bar of the waterfall. Times are milliseconds since the run began. */
export interface Span {
  readonly kind: "step" | "provider" | "tool" | "phase";
  readonly id: string;
  readonly label: string;
  readonly seq: number;
  readonly startMs: number;
  /** Undefined while it goes on. */
  endMs: number | undefined;
  /** From the start of the call to its first token. */
  firstTokenMs: number | undefined;
  failed: boolean;
  readonly depth: number;
}

/** Reads spans from a growing list of events; looks at each event once. */
export class Spans {
  #seen = 0;
  #startedAt = 0;
  #spans: Span[] = [];
  readonly #open = new Map<string, number>();
  #step: string | undefined;
  #phase: string | undefined;

  read(events: readonly RunEvent[]): readonly Span[] {
    const before = this.#seen;
    for (; this.#seen < events.length; this.#seen++) {
      const event = events[this.#seen];
      if (event !== undefined) this.#take(event);
    }
    if (this.#seen !== before) this.#spans = this.#spans.slice();
    return this.#spans;
  }

  #take(event: RunEvent): void {
    if (event.type === "OutputDelta") return;
    const at = new Date(event.at).getTime();
    if (event.type === "RunStarted") this.#startedAt = at;
    const ms = Math.max(0, at - this.#startedAt);
    switch (event.type) {
      case "StepStarted":
        this.#step = `step:${event.step}`;
        this.#begin(this.#step, "step", `Step ${event.step}`, event.seq, ms, 0);
        break;
      case "StepFinished":
        this.#end(`step:${event.step}`, ms);
        break;
      case "ProviderCallStarted":
        this.#begin(event.callId, "provider", event.modelId, event.seq, ms, 1);
        break;
      case "ProviderCallFinished":
        this.#end(event.callId, ms, event.outcome !== "success", event.firstTokenMs);
        break;
      case "ToolCallRequested":
        this.#begin(event.callId, "tool", event.name, event.seq, ms, 1);
        break;
      case "ToolCallFinished":
        this.#end(event.callId, ms, event.outcome !== "success");
        break;
      case "PhaseChanged":
        if (this.#phase === event.phase) break;
        if (this.#phase !== undefined) this.#end(`phase:${this.#phase}`, ms);
        this.#phase = event.phase;
        this.#begin(`phase:${event.phase}`, "phase", event.phase.replaceAll("_", " "), event.seq, ms, 0);
        break;
      case "Completed":
      case "Error":
        for (const id of this.#open.keys()) this.#end(id, ms, event.type === "Error");
        break;
      default:
        break;
    }
  }

  #begin(id: string, kind: Span["kind"], label: string, seq: number, startMs: number, depth: number): void {
    this.#open.set(id, this.#spans.length);
    this.#spans.push({
      kind,
      id,
      label,
      seq,
      startMs,
      endMs: undefined,
      firstTokenMs: undefined,
      failed: false,
      depth,
    });
  }

  #end(id: string, endMs: number, failed = false, firstTokenMs?: number): void {
    const index = this.#open.get(id);
    const span = index === undefined ? undefined : this.#spans[index];
    if (index === undefined || span === undefined) return;
    this.#spans[index] = { ...span, endMs, failed, firstTokenMs };
    this.#open.delete(id);
  }
}

import type { Journal, RunEvent } from "@benchtop/protocol";

const pageSize = 1000;

/** The events of a run, from its start up to and including `to`. Deltas are left out, all but the first: they say nothing that a program asks for. */
export async function readEvents(journal: Journal, runId: string, to = Number.POSITIVE_INFINITY): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  let said = false;
  for (let after = -1; after < to;) {
    const page = await journal.read(runId, { after, limit: pageSize });
    for (const event of page) {
      if (event.seq > to) return events;
      if (event.type !== "OutputDelta" || !said) events.push(event);
      said ||= event.type === "OutputDelta";
      after = event.seq;
    }
    if (page.length < pageSize) break;
  }
  return events;
}

/** What a provider call that never ended had said, by channel. */
export async function partialAnswer(
  journal: Journal,
  runId: string,
  { callId, seq }: { readonly callId: string; readonly seq: number },
): Promise<{ text: string; reasoning: string; refusal: string }> {
  const said = { text: "", reasoning: "", refusal: "" };
  for (let after = seq; ;) {
    const page = await journal.read(runId, { after, limit: pageSize });
    for (const event of page) {
      if (event.type === "OutputDelta" && event.callId === callId) said[event.channel] += event.text;
      after = event.seq;
    }
    if (page.length < pageSize) return said;
  }
}

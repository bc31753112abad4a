/** One event of a stream, as far as ours use the format. */
export interface ServerSentEvent {
  readonly id: string;
  readonly data: string;
}

/**
 * Decodes `text/event-stream` (WHATWG HTML, section 9.2) as it arrives. Each batch is what one network chunk completed;
 * a chunk of comments alone (a heartbeat) is an empty batch.
 */
export async function* readServerSentEvents(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly ServerSentEvent[]> {
  const decoder = new TextDecoder();
  let rest = "";
  let id = "";
  let data: string[] = [];
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    const batch: ServerSentEvent[] = [];
    let start = 0;
    for (;;) {
      const end = rest.indexOf("\n", start);
      if (end === -1) break;
      const line = rest.slice(start, rest.charCodeAt(end - 1) === 13 && end > start ? end - 1 : end);
      start = end + 1;
      if (line === "") {
        if (data.length > 0) batch.push({ id, data: data.join("\n") });
        data = [];
      } else if (line.startsWith("data:")) data.push(valueOf(line, 5));
      else if (line.startsWith("id:")) id = valueOf(line, 3);
    }
    rest = rest.slice(start);
    yield batch;
  }
}

function valueOf(line: string, start: number): string {
  return line.slice(line.charCodeAt(start) === 32 ? start + 1 : start);
}

import { BenchtopError } from "@benchtop/protocol";

/** Whose answer is expected, and which names a server may give to it. */
export interface ExpectedModel {
  readonly providerId: string;
  readonly modelId: string;
  readonly isSame: (served: string) => boolean;
}

/**
 * A `fetch` for chat completions whose event stream fails, before anything of it is given, when its first event names another
 * model than the one that was asked: servers that hold one model answer with it whatever is asked.
 */
export function servedBy(fetch: typeof globalThis.fetch, expected: ExpectedModel): typeof globalThis.fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    if (!response.ok || !response.body) return response;
    const { status, statusText, headers } = response;
    return new Response(response.body.pipeThrough(checkOf(expected)), { status, statusText, headers });
  };
}

/** Throws `PROVIDER_NOT_CONFIGURED` when a server names another model than the one that was asked. */
export function checkServed(served: unknown, { providerId, modelId, isSame }: ExpectedModel): void {
  if (typeof served !== "string" || isSame(served)) return;
  throw new BenchtopError(
    "PROVIDER_NOT_CONFIGURED",
    `${providerId} answered with the model ${printable(served)} where ${modelId} was asked. Load ${modelId} there, or choose another model.`,
    { providerId, modelId, detail: { served: printable(served) } },
  );
}

/** An event that has not ended after so many characters is left to the reader. */
const longestFirstEvent = 64 * 1024;

function checkOf(expected: ExpectedModel): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder();
  const held: Uint8Array[] = [];
  let text = "";
  let isDecided = false;
  return new TransformStream({
    transform(chunk, controller) {
      if (isDecided) return controller.enqueue(chunk);
      held.push(chunk);
      text += decoder.decode(chunk, { stream: true });
      const first = firstEvent(text);
      if (first === undefined && text.length < longestFirstEvent) return;
      checkServed(modelIn(first), expected);
      isDecided = true;
      for (const bytes of held.splice(0)) controller.enqueue(bytes);
    },
    flush(controller) {
      for (const bytes of held.splice(0)) controller.enqueue(bytes);
    },
  });
}

/** The first line of data, once it is whole. */
function firstEvent(text: string): string | undefined {
  return /(?:^|[\r\n])data:([^\r\n]*)[\r\n]/.exec(text)?.[1];
}

function modelIn(data: string | undefined): unknown {
  if (data === undefined) return undefined;
  try {
    const event: unknown = JSON.parse(data);
    return typeof event === "object" && event !== null && "model" in event ? event.model : undefined;
  } catch {
    return undefined;
  }
}

function printable(name: string): string {
  return name.replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ").slice(0, 100);
}

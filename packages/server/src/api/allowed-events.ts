import { BenchtopError } from "@benchtop/protocol";
import type { EventSource, StoredEvent } from "./handler.ts";

type Pages = AsyncIterable<readonly StoredEvent[]>;

interface Watch {
  readonly signal: AbortSignal;
  end(): void;
}

/**
 * A source that ends with `AUTH_REQUIRED` when its reader loses what let them in: a key is revoked, a member removed, a
 * browser signed out. `revoked` must end the source itself; `gone` aborts when the reader goes away.
 */
export function whileAllowed(
  source: EventSource,
  parts: { readonly watch: () => Watch; readonly revoked: AbortController; readonly gone: AbortSignal },
): EventSource {
  const { watch, revoked, gone } = parts;
  let watching: Watch | undefined;
  const end = (): void => {
    gone.removeEventListener("abort", end);
    watching?.end();
    watching = undefined;
  };
  const begin = (): void => {
    if (watching !== undefined || gone.aborted) return;
    watching = watch();
    watching.signal.addEventListener("abort", () => revoked.abort());
    gone.addEventListener("abort", end);
  };
  async function* allowed(pages: Pages, comesBack: boolean): AsyncGenerator<readonly StoredEvent[]> {
    begin();
    try {
      for await (const page of pages) {
        if (revoked.signal.aborted) break;
        if (isLast(page)) end();
        yield page;
      }
    } finally {
      if (!comesBack) end();
    }
    if (!revoked.signal.aborted) return;
    throw new BenchtopError("AUTH_REQUIRED", "What let you in here has ended: a key, a sign-in or a membership.", {
      phase: "settings",
    });
  }
  return {
    ...source,
    events: source.events === null ? null : allowed(source.events, false),
    // Between two reads it is watched on, until the last event or until the reader has gone.
    read: (options) => allowed(source.read(options), true),
  };
}

function isLast(page: readonly StoredEvent[]): boolean {
  const type = page.at(-1)?.event.type;
  return type === "Completed" || type === "Error";
}

import { useCallback, useEffect, useRef, useState } from "react";
import { failureOf, type Failure } from "../api/client.ts";
import type { ApiOperation } from "./document.ts";
import type { Input } from "./request.ts";
import { follow, type StreamedEvent } from "./send.ts";

export interface Stream {
  readonly state: "idle" | "open" | "ended" | "stopped" | "refused";
  readonly status: number | undefined;
  /** The newest of them; `count` says how many there were. */
  readonly events: readonly StreamedEvent[];
  readonly count: number;
  /** What the daemon said when it refused. */
  readonly refusal: string | undefined;
  readonly failure: Failure | undefined;
}

const idle: Stream = {
  state: "idle",
  status: undefined,
  events: [],
  count: 0,
  refusal: undefined,
  failure: undefined,
};
/** More are counted, but not kept. */
const keptEvents = 5000;

/** A stream that is followed while its operation is on screen; drawn at most once a frame, however much comes. */
export function useStream(operation: ApiOperation) {
  const [stream, setStream] = useState(idle);
  const abort = useRef<AbortController>(undefined);
  useEffect(() => () => abort.current?.abort(), []);

  const start = useCallback(
    async (input: Input) => {
      abort.current?.abort();
      const own = new AbortController();
      abort.current = own;
      let now: Stream = { ...idle, state: "open" };
      let frame: number | undefined;
      const draw = () => {
        frame = undefined;
        if (abort.current === own) setStream(now);
      };
      const change = (next: Partial<Stream>) => {
        now = { ...now, ...next };
        frame ??= requestAnimationFrame(draw);
      };
      change({});
      try {
        await follow(
          operation,
          input,
          {
            onOpen: (status) => change({ status }),
            onEvents: (events) =>
              change({ events: [...now.events, ...events].slice(-keptEvents), count: now.count + events.length }),
            onRefused: (refusal) => change({ state: "refused", refusal }),
          },
          own.signal,
        );
        if (now.state === "open") change({ state: "ended" });
      } catch (thrown) {
        change(own.signal.aborted ? { state: "stopped" } : { state: "stopped", failure: failureOf(thrown) });
      }
    },
    [operation],
  );
  const stop = useCallback(() => abort.current?.abort(), []);
  return { ...stream, start, stop };
}

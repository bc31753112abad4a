import { setTimeout as sleep } from "node:timers/promises";
import type {
  DescMethod,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  FileRegistry,
  Message,
} from "@bufbuild/protobuf";
import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { serviceNamed } from "./descriptors.ts";

export interface HealthParts {
  /** Whether the daemon can take work. */
  readonly isReady: () => Promise<boolean>;
  /** Aborts when the daemon begins to stop. */
  readonly stopping: AbortSignal;
  /** Our own services, by their full names. */
  readonly services: ReadonlySet<string>;
}

/** `HealthCheckResponse.ServingStatus` */
const status = { serving: 1, notServing: 2, serviceUnknown: 3 } as const;
const lookAgainMs = 5000;
const sameAnswerMs = 1000;
const maxWatchers = 1000;

/** `grpc.health.v1`, for load balancers: needs no identity, and says nothing but whether the daemon takes work. */
export function addHealth(router: ConnectRouter, descriptors: FileRegistry, parts: HealthParts): DescService {
  const service = serviceNamed(descriptors, "grpc.health.v1.Health");
  let watchers = 0;
  const isKnown = (name: string): boolean => name === "" || parts.services.has(name) || name === service.typeName;
  // Whoever asks within a second gets one answer: it takes a write to find out.
  let latest = { at: -Infinity, ready: Promise.resolve(false) };
  const current = async (): Promise<number> => {
    if (performance.now() - latest.at > sameAnswerMs) latest = { at: performance.now(), ready: parts.isReady() };
    return !parts.stopping.aborted && (await latest.ready) ? status.serving : status.notServing;
  };

  router.rpc(method(service, "check") as DescMethodUnary, async (request) => {
    if (!isKnown(nameIn(request))) throw new ConnectError("There is no such service.", Code.NotFound);
    return { status: await current() };
  });
  router.rpc(method(service, "watch") as DescMethodServerStreaming, async function* (request, context) {
    if (watchers >= maxWatchers) throw new ConnectError("Too many watch already.", Code.ResourceExhausted);
    watchers++;
    // Aborts at the end of every call, however that comes.
    context.signal.addEventListener("abort", () => watchers--, { once: true });
    const over = AbortSignal.any([context.signal, parts.stopping]);
    let told: number | undefined;
    while (!context.signal.aborted) {
      const now = isKnown(nameIn(request)) ? await current() : status.serviceUnknown;
      if (now !== told) yield { status: now };
      told = now;
      if (over.aborted) return;
      await sleep(lookAgainMs, undefined, { signal: over, ref: false }).catch(() => undefined);
    }
  });
  return service;
}

function nameIn(request: Message): string {
  return (request as Message & { readonly service: string }).service;
}

function method(service: DescService, name: string): DescMethod {
  const found = service.method[name];
  if (found === undefined) throw new Error(`${service.typeName} has no method ${name}.`);
  return found;
}

import { resolve } from "node:path";
import { collectorUrl, jsonlFile, otlpTraces, redactedTrace, type TraceSink } from "@benchtop/harness";
import { BenchtopError } from "@benchtop/protocol";
import { z } from "zod";
import { version } from "../version.ts";

const content = z.enum(["none", "redacted"]).default("none");

/** Where traces of runs go. Content leaves only where it is asked for, and then masked. */
export const TraceConfig = z.strictObject({
  file: z.strictObject({ path: z.string().min(1).max(1000), content }).exactOptional(),
  otlp: z
    .strictObject({
      url: z
        .string()
        .max(2000)
        .refine(isCollectorUrl, "must be a URL such as http://127.0.0.1:4318, without credentials"),
      /** The name of an environment variable that holds headers as `name=value,name=value`: keys do not belong in this file. */
      headersEnv: z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, "must be the name of an environment variable")
        .exactOptional(),
      content,
    })
    .exactOptional(),
});
export type TraceConfig = z.infer<typeof TraceConfig>;

/** A sink that the configuration names. */
export interface ConfiguredSink {
  readonly name: "file" | "otlp";
  /** What is shown of where it goes: of a URL the origin alone, for its path may hold a key. */
  readonly target: string;
  readonly sink: TraceSink;
}

/** Opens what the configuration names. `fetchFor`: how a collector is reached. Throws `VALIDATION_FAILED` when the headers are missing or cannot be read. */
export function traceSinks(
  config: TraceConfig,
  home: string,
  environment: NodeJS.ProcessEnv,
  fetchFor: (collector: string) => typeof globalThis.fetch,
): readonly ConfiguredSink[] {
  const sinks: ConfiguredSink[] = [];
  if (config.otlp) {
    const { url, headersEnv, content } = config.otlp;
    const headers = headersEnv === undefined ? {} : headersFrom(headersEnv, environment);
    const collector = otlpTraces({ url, headers, resource: { "service.version": version }, fetch: fetchFor(url) });
    const sink = redactedTrace(collector, { content: contentOf(content) });
    sinks.push({ name: "otlp", target: collectorUrl(url).origin, sink });
  }
  if (config.file) {
    const path = resolve(home, config.file.path);
    sinks.push({
      name: "file",
      target: path,
      sink: redactedTrace(jsonlFile(path), { content: contentOf(config.file.content) }),
    });
  }
  return sinks;
}

function contentOf(content: "none" | "redacted"): "metadata" | "redacted" {
  return content === "none" ? "metadata" : content;
}

function isCollectorUrl(text: string): boolean {
  try {
    collectorUrl(text);
    return true;
  } catch {
    return false;
  }
}

/** As OpenTelemetry writes headers in the environment: pairs with commas between them, values percent-encoded. */
function headersFrom(name: string, environment: NodeJS.ProcessEnv): Record<string, string> {
  const text = environment[name];
  if (text === undefined || text.trim() === "") throw unusable(name, "is not set");
  const headers: Record<string, string> = {};
  for (const pair of text.split(",")) {
    const [key = "", ...rest] = pair.split("=");
    const value = decoded(name, rest.join("=").trim());
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(key.trim()) || !/^[\t\u0020-\u007e\u0080-\u00ff]+$/.test(value)) {
      throw unusable(name, "does not hold name=value,name=value");
    }
    headers[key.trim().toLowerCase()] = value;
  }
  return headers;
}

function decoded(name: string, value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw unusable(name, "holds a % that encodes nothing");
  }
}

function unusable(name: string, why: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `trace.otlp.headersEnv: the environment variable ${name} ${why}.`, {
    phase: "settings",
    detail: { fields: ["trace.otlp.headersEnv"] },
  });
}

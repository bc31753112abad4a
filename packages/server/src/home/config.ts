import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { defaultLimits, type Limits } from "@benchtop/workbench";
import type { Gate, ReliabilityOptions } from "@benchtop/harness";
import { z } from "zod";
import { defaultGates, GateConfig, gatesFromConfig } from "../gates/gates-config.ts";
import type { TlsOptions } from "../tls/certificate.ts";
import type { RateLimitOptions } from "../identity/rate-limits.ts";
import { OidcConfigs, type OidcConfig } from "../oidc/oidc-config.ts";
import { TraceConfig } from "../trace/trace-config.ts";
import { AuthConfig, RateLimitsConfig, rateLimitsOf } from "./access-config.ts";

const limit = z.int().positive().optional();
const limitNames = Object.keys(defaultLimits) as (keyof Limits)[];

const milliseconds = z.int().min(0).max(86_400_000).exactOptional();

/** When a provider is asked again, and how long anything may take; what is absent is the harness's default. */
const Reliability = z.strictObject({
  retry: z
    .strictObject({
      maxAttempts: z.int().min(1).max(100).exactOptional(),
      initialDelayMs: milliseconds,
      maxDelayMs: milliseconds,
      maxRetryAfterMs: milliseconds,
    })
    .exactOptional(),
  timeouts: z
    .strictObject({
      connectMs: milliseconds,
      firstTokenMs: milliseconds,
      idleMs: milliseconds,
      toolMs: milliseconds,
    })
    .exactOptional(),
});

const Tls = z.strictObject({
  certFile: z.string().min(1),
  keyFile: z.string().min(1),
  minVersion: z.enum(["TLSv1.2", "TLSv1.3"]).exactOptional(),
});

const Listen = z.strictObject({
  host: z.string().min(1).max(255).exactOptional(),
  publicUrls: z.array(z.string().max(2000)).max(20).exactOptional(),
  proxies: z
    .array(z.union([z.ipv4(), z.ipv6()]))
    .max(20)
    .exactOptional(),
});

/** A place that models are downloaded from: its address, and further hosts that it may send on to. */
const ModelHub = z.strictObject({
  baseUrl: z.url().max(2000),
  hosts: z.array(z.string().min(1).max(255)).max(50).exactOptional(),
});

const Models = z.strictObject({
  huggingFace: ModelHub.exactOptional(),
  ollama: ModelHub.exactOptional(),
  /** Models may be downloaded from servers of this machine. */
  loopbackUrls: z.boolean().exactOptional(),
});

const Config = z.strictObject({
  auth: AuthConfig.default("required"),
  rateLimits: RateLimitsConfig.optional(),
  limits: z.strictObject(Object.fromEntries(limitNames.map((name) => [name, limit]))).default({}),
  gates: z.array(GateConfig).max(100).optional(),
  trace: TraceConfig.optional(),
  reliability: Reliability.default({}),
  retention: z.strictObject({ days: z.int().min(1).max(36_500) }).optional(),
  listen: Listen.default({}),
  tls: Tls.optional(),
  oidc: OidcConfigs.default([]),
  secrets: z.enum(["auto", "keychain", "file"]).default("auto"),
  models: Models.default({}),
});

/** What an operator may set for one home. */
export interface HomeConfig {
  /** Where people of the team sign in. */
  readonly oidc: readonly OidcConfig[];
  /** Where the key of the secrets is: in the keychain, in a file, or in the keychain where there is one. */
  readonly secrets: "auto" | "keychain" | "file";
  /** Mirrors that models are downloaded from, in place of Hugging Face and the Ollama library. */
  readonly models: z.infer<typeof Models>;
  /** `none`: every request is the operator's, without a proof. */
  readonly auth: "required" | "none";
  readonly rateLimits: RateLimitOptions & { readonly failedSignIns: number };
  readonly limits: Limits;
  /** Asked by every prompt and agent run, in this order. */
  readonly gates: readonly Gate[];
  /** Retries and timeouts of every run. */
  readonly reliability: ReliabilityOptions;
  /** Where traces go; nowhere when absent. */
  readonly trace?: TraceConfig;
  /** Runs that ended so many days ago are deleted, once a day; they are kept for ever when absent. */
  readonly retention?: { readonly days: number };
  /** Where the daemon listens, and under which other addresses it is reached. */
  readonly listen: {
    readonly host?: string;
    readonly publicUrls?: readonly string[];
    /** Whose `X-Forwarded-For` is believed. */
    readonly proxies?: readonly string[];
  };
  /** Certificate and key, as absolute paths; the daemon answers in clear when absent. */
  readonly tls?: TlsOptions;
}

/**
 * `$BENCHTOP_HOME/config.json`, with the defaults for what it does not name. A file that is damaged or names what does not
 * exist stops the start (`VALIDATION_FAILED`): a limit that was meant and misspelt must not be silently absent.
 */
export async function readConfig(home: string): Promise<HomeConfig> {
  const path = join(home, "config.json");
  const text = await readIfThere(path);
  const parsed = Config.safeParse(text === undefined ? {} : parseJson(path, text));
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join(".") || "the file"}: ${issue.message}`);
    throw invalid(path, problems.join("; "));
  }
  const { auth, limits, gates = defaultGates, trace, retention, reliability, listen, tls } = parsed.data;
  return {
    auth,
    oidc: parsed.data.oidc,
    secrets: parsed.data.secrets,
    models: parsed.data.models,
    rateLimits: rateLimitsOf(parsed.data.rateLimits),
    limits: { ...defaultLimits, ...(limits as Partial<Limits>) },
    gates: gatesOf(path, gates),
    reliability,
    ...(trace && { trace }),
    ...(retention && { retention }),
    listen,
    // Names of files are read from the home on, like those of traces.
    ...(tls && { tls: { ...tls, certFile: resolve(home, tls.certFile), keyFile: resolve(home, tls.keyFile) } }),
  };
}

function gatesOf(path: string, gates: readonly GateConfig[]): readonly Gate[] {
  try {
    return gatesFromConfig(gates);
  } catch (thrown) {
    throw invalid(path, BenchtopError.from(thrown).message.replace(/\.$/, ""));
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new BenchtopError("FILE_READ_FAILED", `The configuration ${path} cannot be read.`, {
      phase: "settings",
      cause,
    });
  }
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid(path, "it is not JSON");
  }
}

function invalid(path: string, problem: string): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `The configuration ${path} is not right: ${problem}.`, {
    phase: "settings",
    detail: { path },
  });
}

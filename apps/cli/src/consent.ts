import type { InputOf, Operations, OutputOf } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol/errors";
import type { Invocation } from "./invocation.ts";
import { formatBytes, formatCount, printable } from "./output/format.ts";

export type ConsentMode = "once" | "always";
type Consent = NonNullable<InputOf<Operations["runs.start"]>["consent"]>;
export type Scope = OutputOf<Operations["egress.consentStatus"]>["workshop"];

/** What a run would send, and to whom. */
export interface Sending {
  /** The models in the order in which they are asked. */
  readonly models: readonly string[];
  /** Undefined for a model of a provider that is not configured. */
  readonly scopeOf: (model: string) => Promise<Scope | undefined>;
  /** In words, where it is not the files of a workbench. */
  readonly what?: string;
}

/**
 * The consent that a run is started with. A flag is taken as given, for every model that was named. Without one a person at a
 * terminal is shown what would go where, and asked; a script is never asked: the daemon refuses before a byte is sent.
 */
export async function consentFor(
  invocation: Invocation,
  flag: ConsentMode | undefined,
  sending: Sending,
): Promise<Consent | undefined> {
  if (flag !== undefined) return { mode: flag, ...agreedTo(sending.models) };
  if (!invocation.terminal.isInteractive) return undefined;
  const shown = await Promise.all(
    sending.models.map(async (model) => ({ model, scope: await sending.scopeOf(model) })),
  );
  const open = shown.flatMap(({ model, scope }) => (scope?.required && !scope.consented ? [{ model, scope }] : []));
  const [first] = open;
  if (first === undefined) return undefined;
  const isAboutFirst = first.model === sending.models[0];
  for (const [place, { model, scope }] of open.entries()) {
    const before = place === 0 && isAboutFirst ? undefined : sending.models[0];
    say(invocation, model, scope, sending.what, before);
  }
  const { scopeHash } = first.scope;
  const always = scopeHash !== "";
  const onlyFirst = isAboutFirst && open.length > 1;
  const choices = [
    "[o]nce",
    ...(always ? ["[a]lways for these files"] : []),
    ...(onlyFirst ? ["once for the [f]irst alone"] : []),
  ];
  const letters = `on${always ? "a" : ""}${onlyFirst ? "f" : ""}`;
  const answer = await invocation.terminal.choose(`Agree? ${choices.join(", ")}, or [n]o?`, letters);
  const hash = always && { scopeHash };
  if (answer === "o" || answer === "a") {
    const mode = answer === "o" ? ("once" as const) : ("always" as const);
    return { mode, ...hash, models: open.map(({ model }) => model) };
  }
  if (answer === "f") return { mode: "once", ...hash, models: [first.model] };
  // The first needs no consent; those that do are passed over.
  if (answer === "n" && !isAboutFirst) return undefined;
  throw new BenchtopError("EGRESS_CONSENT_REQUIRED", "Nothing was sent.", {
    phase: "workshop",
    providerId: first.scope.providerId,
    modelId: first.scope.modelId,
  });
}

/** What of a prompt goes to a model. Nothing of it is of a workbench, so no consent for it is kept. */
export async function scopesOfPrompt(
  invocation: Invocation,
  prompt: string,
  files: readonly { readonly name: string; readonly bytes: number }[] = [],
): Promise<(model: string) => Promise<Scope | undefined>> {
  const { items: providers } = await (await invocation.client()).call("providers.list", {});
  return async (model) => {
    const [providerId, modelId] = splitModel(model);
    const provider = providers.find(({ name }) => name === providerId);
    if (provider === undefined) return undefined;
    return {
      providerId,
      modelId,
      required: !provider.local,
      consented: false,
      persisted: false,
      scopeHash: "",
      fileCount: files.length,
      totalBytes: Buffer.byteLength(prompt),
      memories: 0,
      contextItems: 0,
      files: files.map(({ name, bytes }) => ({ path: name, bytes })),
      host: new URL(provider.baseUrl).host,
    };
  };
}

function splitModel(ref: string): [string, string] {
  const slash = ref.indexOf("/");
  return slash < 0 ? [ref, ""] : [ref.slice(0, slash), ref.slice(slash + 1)];
}

/** One line for one recipient; `before` is the model that has to fail first. */
function say(
  { terminal }: Invocation,
  model: string,
  scope: Scope,
  what: string | undefined,
  before: string | undefined,
): void {
  const { bold } = terminal.errorColours;
  const memories = scope.memories === 0 ? "" : `, and ${formatCount(scope.memories, "remembered text")}`;
  const items = scope.contextItems === 0 ? "" : `, and ${formatCount(scope.contextItems, "context item")}`;
  const files = `${formatCount(scope.fileCount, "file")}, ${formatBytes(scope.totalBytes)}${items}${memories}`;
  const content = bold(what ?? (scope.fileCount > 0 ? files : "your prompt"));
  const sends = before === undefined ? "This sends" : `If ${printable(before)} fails, this sends`;
  terminal.errorLine(`${sends} ${content} to ${bold(printable(scope.host))} (${printable(model)}).`);
}

/** A consent that names no models is for the first that is asked. */
function agreedTo(models: readonly string[]): { models?: string[] } {
  return models.length > 1 ? { models: [...models] } : {};
}

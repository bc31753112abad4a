import type { Candidate, ModelInfo } from "@benchtop/harness";
import type { Providers, ResolvedModel } from "@benchtop/models";
import { BenchtopError, type RunInit } from "@benchtop/protocol";
import { workspaceOf } from "@benchtop/runs";
import type { Consent, ConsentChoice, Scope } from "../consent/consent.ts";
import { askedIn } from "./asked.ts";
import type { KnownModel } from "./frozen-context.ts";

/** A model to ask when those before it fail; without `model` where its provider is not configured any more. */
export interface Fallback {
  readonly ref: string;
  readonly model: ResolvedModel | undefined;
}

type Candidates = readonly [Candidate, ...Candidate[]];

/** Refuses a plan that names a model twice. Throws what `Providers.resolve` throws for one that is not there. */
export async function resolvePlan(
  providers: Providers,
  workspaceId: string,
  first: string,
  fallbacks: readonly string[],
): Promise<{ model: ResolvedModel; fallbacks: Fallback[] }> {
  if (new Set([first, ...fallbacks]).size <= fallbacks.length) {
    throw new BenchtopError("VALIDATION_FAILED", "A model is named twice. Each fallback has to be another one.", {
      phase: "workshop",
      detail: { fields: ["fallbacks"] },
    });
  }
  const model = await providers.resolve(workspaceId, first);
  const others = fallbacks.map(async (ref) => ({ ref, model: await providers.resolve(workspaceId, ref) }));
  return { model, fallbacks: await Promise.all(others) };
}

/** The fallbacks of a run that began before: those that are there still, and those that are not. */
export async function fallbacksOf(
  providers: Providers,
  init: Pick<RunInit, "input" | "workspaceId">,
  first: string | undefined,
): Promise<Fallback[]> {
  const refs = askedIn(init.input).fallbacks.filter((ref) => ref !== first);
  return await Promise.all(
    refs.map(async (ref) => ({ ref, model: await resolvedIfThere(providers, workspaceOf(init), ref) })),
  );
}

export async function resolvedIfThere(
  providers: Providers,
  workspaceId: string,
  ref: string,
): Promise<ResolvedModel | undefined> {
  try {
    return await providers.resolve(workspaceId, ref);
  } catch (thrown) {
    if (BenchtopError.from(thrown).category === "provider") return undefined;
    throw thrown;
  }
}

/**
 * Who may be asked on behalf of a run, best first. A fallback that nobody agreed to is in the plan, and is passed over: nobody
 * is asked about it in the middle of a run. The first one was admitted before.
 */
export async function candidatesOf(
  consent: Consent,
  init: RunInit,
  scope: Scope,
  asking: {
    readonly model: ResolvedModel;
    readonly fallbacks: readonly Fallback[];
    readonly choice: ConsentChoice | undefined;
    readonly userId: string;
    readonly known: Known;
  },
): Promise<Candidates> {
  const { runId, workbenchId } = init;
  const { hash: scopeHash, fileCount } = scope;
  const context = { runId, scopeHash, fileCount, ...(workbenchId !== undefined && { workbenchId }) };
  const run = { runId, workbenchId, userId: asking.userId };
  // What was agreed to without naming models was about the first one.
  const choice = asking.choice?.models === undefined ? undefined : asking.choice;
  const others = asking.fallbacks.map(async ({ ref, model }) => {
    if (!model) return { ...unreachable(ref), barred: "its provider is not configured any more" };
    const candidate = candidateOf(model, context, asking.known);
    return (await consent.admit(run, model, scope, choice)) ? candidate : { ...candidate, barred: notAgreed(model) };
  });
  return [candidateOf(asking.model, context, asking.known), ...(await Promise.all(others))];
}

type Known = Readonly<Record<string, KnownModel>> | undefined;

/** What the catalogue knows of the models of a plan, for the record: a run that goes on later must be planned as it was. */
export function knownOf(models: readonly (ResolvedModel | undefined)[]): NonNullable<Known> {
  return Object.fromEntries(
    models.flatMap((model): [string, KnownModel][] => {
      if (!model?.facts) return [];
      const { contextTokens, maxOutputTokens, capabilities = {} } = model.facts;
      const { tools, jsonSchema: output, vision, pdf } = capabilities;
      const attachments = vision === false && pdf === false ? false : undefined;
      return [[refOf(model), { contextTokens, maxOutputTokens, tools, output, attachments }]];
    }),
  );
}

const refOf = ({ providerId, modelId }: ResolvedModel): string => `${providerId}/${modelId}`;

/** The plan of a run that is replayed, whether or not its providers are still there. Prices count for the budget as they are now. */
export function recordedCandidates(
  init: RunInit,
  model: ResolvedModel | undefined,
  fallbacks: readonly Fallback[],
  known: Known,
): Candidates {
  const first = recorded(init.model ?? "", model, known);
  return [first, ...fallbacks.map((fallback) => recorded(fallback.ref, fallback.model, known))];
}

function recorded(ref: string, model: ResolvedModel | undefined, known: Known): Candidate {
  const prices = model?.prices ?? { inputPerMillion: 0, outputPerMillion: 0 };
  return { ...unreachable(ref), ...infoOf(known?.[ref]), prices };
}

function candidateOf(model: ResolvedModel, context: Parameters<ResolvedModel["adapter"]>[0], known: Known): Candidate {
  const { modelId, local, prices } = model;
  return {
    provider: model.adapter(context),
    modelId,
    local,
    ...infoOf(known?.[refOf(model)]),
    ...(prices && { prices }),
  };
}

function infoOf({ contextTokens, maxOutputTokens, tools, output, attachments }: KnownModel = {}): ModelInfo {
  return {
    ...(contextTokens !== undefined && { contextTokens }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    capabilities: {
      ...(tools !== undefined && { tools }),
      ...(output !== undefined && { output }),
      ...(attachments !== undefined && { attachments }),
    },
  };
}

function notAgreed({ host }: ResolvedModel): string {
  return `nobody agreed to send this to ${host}`;
}

function unreachable(ref: string): Candidate {
  const [providerId = "", ...name] = ref.split("/");
  return {
    provider: {
      id: providerId,
      stream: () => {
        throw new BenchtopError("INTERNAL", "A model that cannot be reached was asked.");
      },
    },
    modelId: name.join("/"),
  };
}

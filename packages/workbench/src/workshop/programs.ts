import {
  agentLoop,
  ToolRegistry,
  type CircuitBreaker,
  type Gate,
  type LoopConfig,
  type ReliabilityOptions,
  type RunBody,
  type RunScope,
} from "@benchtop/harness";
import type { ResolvedModel } from "@benchtop/models";
import { BenchtopError, type Json, type Message, type RunInit } from "@benchtop/protocol";
import { workspaceOf } from "@benchtop/runs";
import type { Catalogue } from "../catalogue/catalogue.ts";
import { promptScope, workbenchScope, type Consent, type ConsentChoice, type Scope } from "../consent/consent.ts";
import type { Drafts } from "../draft/drafts.ts";
import type { DraftFile } from "../draft/view.ts";
import type { Environment } from "../environment.ts";
import { recallFor, toolsOf as memoryToolsOf } from "../memory/memory.ts";
import { askedIn } from "./asked.ts";
import { history } from "./conversation.ts";
import { freeze, recordedContext, type FrozenContext } from "./frozen-context.ts";
import { agentInstructions } from "./instructions.ts";
import { candidatesOf, knownOf, recordedCandidates, type Fallback } from "./plan.ts";
import { fileTools } from "./tools.ts";

/** Who is asked, and what a person agreed to. */
export interface Asking {
  readonly model: ResolvedModel;
  /** Asked when the model fails, best first. */
  readonly fallbacks?: readonly Fallback[] | undefined;
  readonly userId: string;
  readonly consent?: ConsentChoice | undefined;
}

/** What every program of the workshop is made with. */
export interface ProgramParts {
  readonly environment: Environment;
  readonly catalogue: Catalogue;
  readonly drafts: Drafts;
  readonly consent: Consent;
  readonly gates: readonly Gate[];
  readonly reliability: ReliabilityOptions;
  /** Of the providers of a workspace: those of another are others, whatever their names. */
  readonly breakerOf: (workspaceId: string) => CircuitBreaker;
}

/**
 * What the runs of the workshop do. The same program starts a run, resumes it, forks it, and replays it: what it was asked
 * comes from the run itself, what it was told besides from the blob that its journal names.
 */
export class Programs {
  readonly #parts: ProgramParts;

  constructor(parts: ProgramParts) {
    this.#parts = parts;
  }

  /** An agent on the files of a workbench, or one prompt. Nothing is sent before a person has agreed to it. */
  live(asking: Asking): RunBody {
    return async (run) => {
      const { environment, consent } = this.#parts;
      const recorded = await recordedContext(environment, run);
      const context = recorded ?? (await this.#assemble(run.init));
      await this.#requireConsent(run, asking, context.scope);
      const { model, fallbacks = [], consent: choice, userId } = asking;
      const known = recorded ? recorded.models : knownOf([model, ...fallbacks.map((fallback) => fallback.model)]);
      if (!recorded) await freeze(environment, run, { ...context, ...(known && { models: known }) });
      const who = { model, fallbacks, choice, userId, known };
      const candidates = await candidatesOf(consent, run.init, context.scope, who);
      return await agentLoop(this.#configOf(run.init, context, candidates))(run);
    };
  }

  /** The same to compare with what is recorded: it needs no provider, and asks none. */
  replayed(model: ResolvedModel | undefined, fallbacks: readonly Fallback[]): RunBody {
    return async (run) => {
      const context = await recordedContext(this.#parts.environment, run);
      if (run.past?.takeIf("ConsentRequired")) {
        throw new BenchtopError("EGRESS_CONSENT_REQUIRED", "Nothing was sent: there was no consent.");
      }
      // Without it the run ended before it had anything to ask.
      const frozen = context ?? { scope: promptScope(), history: [] };
      const candidates = recordedCandidates(run.init, model, fallbacks, context?.models);
      return await agentLoop(this.#configOf(run.init, frozen, candidates))(run);
    };
  }

  toolsOf({ workbenchId, input }: RunInit): ToolRegistry {
    const { environment, drafts } = this.#parts;
    if (workbenchId === undefined) return new ToolRegistry([]);
    const remembering = askedIn(input).memory ? memoryToolsOf(environment.store, workbenchId) : [];
    return new ToolRegistry([...fileTools(environment, drafts, workbenchId), ...remembering]);
  }

  #configOf(init: RunInit, { workbench, history }: ContextParts, candidates: LoopConfig["candidates"]): LoopConfig {
    const { gates, breakerOf, environment, reliability } = this.#parts;
    const { text, instructions, attachments, memory, maxOutputTokens, temperature, output } = askedIn(init.input);
    const told = workbench
      ? agentInstructions(workbench.name, workbench.files as unknown as DraftFile[], memory)
      : instructions;
    return {
      candidates,
      input: text,
      attachments: attachments.map(({ name, mediaType, sha256 }) => ({ name, mediaType, sha256 })),
      history,
      gates,
      reliability,
      breaker: breakerOf(workspaceOf(init)),
      readAttachment: (sha256) => environment.store.blobs.read(sha256),
      ...(told !== undefined && { instructions: told }),
      ...(workbench && { tools: this.toolsOf(init) }),
      ...(memory && init.workbenchId !== undefined && { recall: recallFor(environment.store, init.workbenchId, text) }),
      ...(maxOutputTokens !== undefined && { maxOutputTokens }),
      ...(temperature !== undefined && { temperature }),
      ...(output && { output }),
    };
  }

  /** What the run may show a model: the files as they are now, and what was said before. */
  async #assemble(init: RunInit): Promise<ContextParts> {
    const { environment, catalogue, drafts } = this.#parts;
    const { workbenchId } = init;
    const { memory } = askedIn(init.input);
    if (workbenchId === undefined) {
      const said = await this.#saidBefore(init, "prompt");
      return { scope: promptScope(await this.#attachedTo(init, said)), history: said };
    }
    // Waits for a change of Published that began before the run claimed the workbench; none begins after it.
    const { scope, name } = await environment.locks.run(workbenchId, async () => {
      const row = await catalogue.find(workbenchId);
      return { scope: workbenchScope(await environment.manifests.load(row.manifest_hash), memory), name: row.name };
    });
    const files = (await drafts.viewOf(workbenchId)).files();
    const workbench = { name, files: files.map((file) => ({ ...file }) as Json) };
    return { scope, workbench, history: await this.#saidBefore(init, "agent") };
  }

  async #saidBefore(init: RunInit, kind: "agent" | "prompt"): Promise<Message[]> {
    const { sessionId, runId, forkedFrom } = init;
    if (sessionId === undefined) return [];
    const except = [runId, ...(forkedFrom ? [forkedFrom.runId] : [])];
    const conversation = { workspaceId: workspaceOf(init), sessionId };
    return await history(this.#parts.environment.store, conversation, kind, except);
  }

  /** What a prompt comes with, and the earlier ones of its conversation came with: it is all sent. */
  async #attachedTo(init: RunInit, said: readonly Message[]): Promise<{ sha256: string; bytes: number }[]> {
    const { blobs } = this.#parts.environment.store;
    const before = said.flatMap((message) => (message.role === "user" ? (message.attachments ?? []) : []));
    const hashes = before.flatMap(({ sha256 }) => sha256 ?? []);
    const earlier = hashes.map(async (sha256) => ({ sha256, bytes: await blobs.size(sha256) }));
    return [...askedIn(init.input).attachments, ...(await Promise.all(earlier))];
  }

  /** Without consent the run says what would have been sent, and ends; one that is driven again stays as it is. */
  async #requireConsent(run: RunScope, { model, userId, consent: choice }: Asking, scope: Scope): Promise<void> {
    const { workbenchId } = run.init;
    const asking = { runId: run.runId, workbenchId, userId };
    if (await this.#parts.consent.admit(asking, model, scope, choice)) return;
    const { providerId, modelId, host } = model;
    const { fileCount, totalBytes } = scope;
    if (!run.past) {
      await run.emit({ type: "ConsentRequired", providerId, modelId, scopeHash: scope.hash, fileCount, totalBytes });
    }
    const shown = choice?.scopeHash;
    const kind = workbenchId === undefined ? "attached file" : "file";
    const files = `${fileCount} ${kind}${fileCount === 1 ? "" : "s"} (${totalBytes} bytes)`;
    const prompt = fileCount === 0 ? "this prompt" : `this prompt and ${files}`;
    const what = workbenchId === undefined ? prompt : files;
    const message =
      shown !== undefined && shown !== scope.hash
        ? "The files changed since you agreed. Look at what would be sent now, then agree again."
        : `Nothing was sent: showing ${what} to ${modelId} at ${host} needs your consent.`;
    throw new BenchtopError("EGRESS_CONSENT_REQUIRED", message, {
      phase: "workshop",
      providerId,
      modelId,
      ...(workbenchId !== undefined && { workbenchId }),
      detail: { scopeHash: scope.hash, fileCount, totalBytes, host },
    });
  }
}

type ContextParts = Omit<FrozenContext, "version">;

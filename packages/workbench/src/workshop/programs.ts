import { randomBytes } from "node:crypto";
import {
  agentLoop,
  completion,
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
import {
  consentRequired,
  promptScope,
  workbenchScope,
  type Consent,
  type ConsentChoice,
  type Scope,
} from "../consent/consent.ts";
import { contextItemsOf, itemHash } from "../context-items/context-items.ts";
import type { Drafts } from "../draft/drafts.ts";
import type { DraftFile } from "../draft/view.ts";
import type { Environment } from "../environment.ts";
import { recallFor, toolsOf as memoryToolsOf } from "../memory/memory.ts";
import { askedIn } from "./asked.ts";
import { historyOfPrompts, historyOfTurns } from "./conversation/conversation.ts";
import { freeze, recordedContext, type FrozenContext } from "./frozen-context.ts";
import { agentInstructions, messageInstructions } from "./instructions.ts";
import { candidatesOf, knownOf, recordedCandidates, type Fallback } from "./plan.ts";
import { planTool } from "./tools/plan-tool.ts";
import { proposalTool } from "./tools/proposal.ts";
import { chooseFiles, textOfFiles } from "./shown-files.ts";
import { fileTools, readingTools } from "./tools/file-tools.ts";
import { saidBefore, type Turns } from "./conversation/turns.ts";

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
  readonly turns: Turns;
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

  /** An agent on the files of a workbench, one message about them, or one prompt. Nothing is sent before a person has agreed to it. */
  live(asking: Asking): RunBody {
    return async (run) => {
      const { environment, consent } = this.#parts;
      const recorded = await recordedContext(environment, run);
      const context = recorded ?? (await this.#assemble(run.init, asking.model));
      await this.#requireConsent(run, asking, context.scope);
      const { model, fallbacks = [], consent: choice, userId } = asking;
      const known = recorded ? recorded.models : knownOf([model, ...fallbacks.map((fallback) => fallback.model)]);
      if (!recorded) await freeze(environment, run, { ...context, ...(known && { models: known }) });
      const who = { model, fallbacks, choice, userId, known };
      const candidates = await candidatesOf(consent, run.init, context.scope, who);
      return await (
        await this.#bodyOf(run.init, context, candidates)
      )(run);
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
      return await (
        await this.#bodyOf(run.init, frozen, candidates)
      )(run);
    };
  }

  toolsOf({ kind, workbenchId, input }: Pick<RunInit, "kind" | "workbenchId" | "input">): ToolRegistry {
    const { environment, drafts } = this.#parts;
    if (workbenchId === undefined) return new ToolRegistry([]);
    const remembering = askedIn(input).memory ? memoryToolsOf(environment.store, workbenchId) : [];
    const working =
      kind === "message"
        ? [...readingTools(environment, drafts, workbenchId), proposalTool(environment, drafts, workbenchId)]
        : [planTool, ...fileTools(environment, drafts, workbenchId)];
    return new ToolRegistry([...working, ...remembering]);
  }

  /** What a run on a workbench is told before anything is said. */
  async #toldOf(init: RunInit, { name, files, items, shown }: NonNullable<ContextParts["workbench"]>): Promise<string> {
    const kept = files as unknown as DraftFile[];
    const place = { name, files: kept, items, remembers: askedIn(init.input).memory };
    if (!shown) return agentInstructions(place);
    const { paths, leftOut, fence } = shown;
    const isShown = new Set(paths);
    const whole = kept.filter(({ path }) => isShown.has(path));
    const texts = await textOfFiles(this.#parts.environment, whole, fence);
    return messageInstructions(place, { texts, leftOut, fence });
  }

  async #bodyOf(init: RunInit, context: ContextParts, candidates: LoopConfig["candidates"]): Promise<RunBody> {
    const config = await this.#configOf(init, context, candidates);
    if (init.kind !== "chat") return agentLoop(config);
    const { messages, callerTools: tools } = askedIn(init.input);
    return completion({ ...config, messages, tools });
  }

  async #configOf(
    init: RunInit,
    { workbench, history }: ContextParts,
    candidates: LoopConfig["candidates"],
  ): Promise<LoopConfig> {
    const { gates, breakerOf, environment, reliability } = this.#parts;
    const { text, instructions, attachments, memory, maxOutputTokens, temperature, topP, seed, output } = askedIn(
      init.input,
    );
    const told = workbench ? await this.#toldOf(init, workbench) : instructions;
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
      ...(topP !== undefined && { topP }),
      ...(seed !== undefined && { seed }),
      ...(output && { output }),
    };
  }

  /** What the run may show a model: the files as they are now, and what was said before. Throws where any of it cannot be read. */
  async #assemble(init: RunInit, model: ResolvedModel): Promise<ContextParts> {
    const { environment, catalogue, drafts } = this.#parts;
    const { workbenchId } = init;
    const { memory, text } = askedIn(init.input);
    if (workbenchId === undefined) {
      const said = await this.#promptsBefore(init);
      return { scope: promptScope(await this.#attachedTo(init, said)), history: said };
    }
    // Waits for a change of Published that began before the run claimed the workbench; none begins after it.
    const { scope, name, items } = await environment.locks.run(workbenchId, async () => {
      const row = await catalogue.find(workbenchId);
      const items = await contextItemsOf(environment.store.db, workbenchId);
      const manifest = await environment.manifests.load(row.manifest_hash);
      return { scope: workbenchScope(manifest, { memory, items: items.map(itemHash) }), name: row.name, items };
    });
    const files = (await drafts.viewOf(workbenchId)).files();
    const told = items.map(({ kind, title, content }) => ({ kind, title, content }));
    const workbench = { name, files: files.map((file) => ({ ...file }) as Json), items: told };
    const history = await this.#turnsBefore(init);
    if (init.kind !== "message") return { scope, workbench, history };
    const { shown, leftOut } = chooseFiles(files, text, model.facts?.contextTokens);
    // Nobody who wrote a file could know it.
    const fence = randomBytes(8).toString("hex");
    return { scope, workbench: { ...workbench, shown: { paths: [...shown], leftOut: [...leftOut], fence } }, history };
  }

  /** What was said in the conversation before a turn of it. */
  async #turnsBefore(init: RunInit): Promise<Message[]> {
    const { sessionId, runId, forkedFrom } = init;
    if (sessionId === undefined) return [];
    const { environment, turns } = this.#parts;
    const place = { workspaceId: workspaceOf(init), sessionId };
    const before = await saidBefore(environment.store.db, place, runId);
    return await historyOfTurns(environment.store, turns, place, before, forkedFrom ? [forkedFrom.runId] : []);
  }

  async #promptsBefore(init: RunInit): Promise<Message[]> {
    const { sessionId, runId, forkedFrom } = init;
    if (sessionId === undefined) return [];
    const except = [runId, ...(forkedFrom ? [forkedFrom.runId] : [])];
    const conversation = { workspaceId: workspaceOf(init), sessionId };
    return await historyOfPrompts(this.#parts.environment.store, conversation, except);
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
    const { providerId, modelId } = model;
    const { fileCount, totalBytes } = scope;
    if (!run.past) {
      await run.emit({ type: "ConsentRequired", providerId, modelId, scopeHash: scope.hash, fileCount, totalBytes });
    }
    throw consentRequired(model, scope, workbenchId, choice);
  }
}

type ContextParts = Omit<FrozenContext, "version">;

import {
  agentLoop,
  ToolRegistry,
  type Candidate,
  type CircuitBreaker,
  type Gate,
  type LoopConfig,
  type OutputSchema,
  type RunBody,
  type RunScope,
} from "@benchtop/harness";
import type { ResolvedModel } from "@benchtop/models";
import { BenchtopError, type Json, type RunInit } from "@benchtop/protocol";
import type { Catalogue } from "../catalogue/catalogue.ts";
import {
  noWorkbench,
  promptScope,
  workbenchScope,
  type Consent,
  type ConsentChoice,
  type Scope,
} from "../consent/consent.ts";
import type { Drafts } from "../draft/drafts.ts";
import type { DraftFile } from "../draft/view.ts";
import type { Environment } from "../environment.ts";
import { history } from "./conversation.ts";
import { freeze, recordedContext, type FrozenContext } from "./frozen-context.ts";
import { agentInstructions } from "./instructions.ts";
import { fileTools } from "./tools.ts";

/** Who is asked, and what a person agreed to. */
export interface Asking {
  readonly model: ResolvedModel;
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
  readonly breaker: CircuitBreaker;
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
      const recorded = await recordedContext(this.#parts.environment, run);
      const scope = recorded?.scope ?? (await this.#scopeOf(run.init));
      await this.#requireConsent(run, asking, scope);
      const context = recorded ?? (await this.#assemble(run, scope));
      const candidate = candidateOf(asking.model, {
        runId: run.runId,
        scopeHash: scope.hash,
        ...(run.init.workbenchId !== undefined && { workbenchId: run.init.workbenchId }),
      });
      return await agentLoop(this.#configOf(run.init, context, candidate))(run);
    };
  }

  /** The same to compare with what is recorded: it needs no provider, and asks none. */
  replayed(model: ResolvedModel | undefined): RunBody {
    return async (run) => {
      const context = await recordedContext(this.#parts.environment, run);
      if (run.past?.takeIf("ConsentRequired")) {
        throw new BenchtopError("EGRESS_CONSENT_REQUIRED", "Nothing was sent: there was no consent.");
      }
      // Without it the run ended before it had anything to ask.
      const frozen = context ?? { version: 1, scope: promptScope(), history: [] };
      return await agentLoop(this.#configOf(run.init, frozen, recordedCandidate(run.init, model)))(run);
    };
  }

  toolsOf({ workbenchId }: RunInit): ToolRegistry {
    const { environment, drafts } = this.#parts;
    return new ToolRegistry(workbenchId === undefined ? [] : fileTools(environment, drafts, workbenchId));
  }

  #configOf(init: RunInit, { workbench, history }: FrozenContext, candidate: Candidate): LoopConfig {
    const { gates, breaker, environment } = this.#parts;
    const { asked, instructions } = askedIn(init.input);
    const told = workbench
      ? agentInstructions(workbench.name, workbench.files as unknown as DraftFile[])
      : instructions;
    return {
      candidates: [candidate],
      input: asked,
      history,
      gates,
      breaker,
      readAttachment: (sha256) => environment.store.blobs.read(sha256),
      ...(told !== undefined && { instructions: told }),
      ...(workbench ? { tools: this.toolsOf(init) } : answerAskedIn(init.input)),
    };
  }

  async #scopeOf({ workbenchId }: RunInit): Promise<Scope> {
    if (workbenchId === undefined) return promptScope();
    const { environment, catalogue } = this.#parts;
    // Waits for a change of Published that began before the run claimed the workbench; none begins after it.
    return await environment.locks.run(workbenchId, async () => {
      const row = await catalogue.find(workbenchId);
      return workbenchScope(await environment.manifests.load(row.manifest_hash));
    });
  }

  async #assemble(run: RunScope, scope: Scope): Promise<FrozenContext> {
    const { environment, catalogue, drafts } = this.#parts;
    const { workbenchId, sessionId, kind, runId, forkedFrom } = run.init;
    const except = [runId, ...(forkedFrom ? [forkedFrom.runId] : [])];
    const said =
      sessionId === undefined
        ? []
        : await history(environment.store, sessionId, kind === "agent" ? "agent" : "prompt", except);
    if (workbenchId === undefined) return await freeze(environment, run, { scope, history: said });
    const { name } = await catalogue.find(workbenchId);
    const files = (await drafts.viewOf(workbenchId)).files();
    const workbench = { name, files: files.map((file) => ({ ...file }) as Json) };
    return await freeze(environment, run, { scope, workbench, history: said });
  }

  /** Without consent the run says what would have been sent, and ends; one that is driven again stays as it is. */
  async #requireConsent(run: RunScope, { model, userId, consent: choice }: Asking, scope: Scope): Promise<void> {
    const workbenchId = run.init.workbenchId ?? noWorkbench;
    const asking = { runId: run.runId, workbenchId, userId };
    if (await this.#parts.consent.admit(asking, model, scope, choice)) return;
    const { providerId, modelId, host } = model;
    const { fileCount, totalBytes } = scope;
    if (!run.past) {
      await run.emit({ type: "ConsentRequired", providerId, modelId, scopeHash: scope.hash, fileCount, totalBytes });
    }
    const shown = choice?.scopeHash;
    const what = workbenchId === noWorkbench ? "this prompt" : `${fileCount} files (${totalBytes} bytes)`;
    const message =
      shown !== undefined && shown !== scope.hash
        ? "The files changed since you agreed. Look at what would be sent now, then agree again."
        : `Nothing was sent: showing ${what} to ${modelId} at ${host} needs your consent.`;
    throw new BenchtopError("EGRESS_CONSENT_REQUIRED", message, {
      phase: "workshop",
      providerId,
      modelId,
      ...(workbenchId !== noWorkbench && { workbenchId }),
      detail: { scopeHash: scope.hash, fileCount, totalBytes, host },
    });
  }
}

/** The task of an agent or the prompt, and the instructions that came with a prompt. */
export function askedIn(input: Json): { readonly asked: string; readonly instructions: string | undefined } {
  const { task, prompt, instructions } =
    typeof input === "object" && input !== null && !Array.isArray(input) ? input : ({} as { [key: string]: Json });
  const asked = task ?? prompt;
  return {
    asked: typeof asked === "string" ? asked : "",
    instructions: typeof instructions === "string" ? instructions : undefined,
  };
}

/** How a prompt wants to be answered: what it may cost in tokens, how freely, and as JSON of which schema. */
function answerAskedIn(input: Json): Pick<LoopConfig, "maxOutputTokens" | "temperature" | "output"> {
  const { maxOutputTokens, temperature, output } =
    typeof input === "object" && input !== null && !Array.isArray(input) ? input : ({} as { [key: string]: Json });
  return {
    ...(typeof maxOutputTokens === "number" && { maxOutputTokens }),
    ...(typeof temperature === "number" && { temperature }),
    ...(typeof output === "object" && output !== null && { output: output as unknown as OutputSchema }),
  };
}

/** A resolved model as the loop asks it, on behalf of one run. */
function candidateOf(model: ResolvedModel, context: Parameters<ResolvedModel["adapter"]>[0]): Candidate {
  const { modelId, local, prices } = model;
  return { provider: model.adapter(context), modelId, local, ...(prices && { prices }) };
}

/** The model that was asked, whether or not its provider is still configured. Its prices count for the budget as they are now. */
function recordedCandidate(init: RunInit, model: ResolvedModel | undefined): Candidate {
  const [providerId = "", ...name] = (init.model ?? "").split("/");
  return {
    provider: {
      id: providerId,
      stream: () => {
        throw new BenchtopError("INTERNAL", "A replay asks no provider.");
      },
    },
    modelId: name.join("/"),
    prices: model?.prices ?? { inputPerMillion: 0, outputPerMillion: 0 },
  };
}

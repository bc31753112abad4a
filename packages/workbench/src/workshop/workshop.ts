import { agentLoop, type Candidate, type RunBody, type RunHandle, type RunScope } from "@benchtop/harness";
import type { Providers, ResolvedModel } from "@benchtop/models";
import { BenchtopError, newId, type Contract, type Json } from "@benchtop/protocol";
import type { Catalogue } from "../catalogue/catalogue.ts";
import {
  noWorkbench,
  promptScope,
  workbenchScope,
  type Consent,
  type ConsentChoice,
  type Scope,
} from "../consent/consent.ts";
import type { Agents } from "../draft/agents.ts";
import type { Drafts } from "../draft/drafts.ts";
import type { Environment } from "../environment.ts";
import { history } from "./conversation.ts";
import { agentInstructions } from "./instructions.ts";
import { fileTools } from "./tools.ts";

interface ModelRequest {
  readonly model: string;
  readonly userId: string;
  readonly runId?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly contract?: Contract | undefined;
  readonly consent?: ConsentChoice | undefined;
}

export interface AgentRequest extends ModelRequest {
  readonly workbenchId: string;
  readonly task: string;
}

export interface PromptRequest extends ModelRequest {
  readonly prompt: string;
  readonly instructions?: string | undefined;
}

export interface StartedRun<SessionId = string> {
  readonly runId: string;
  readonly traceId: string;
  readonly sessionId: SessionId;
}

/** Runs that ask a model: an agent on a workbench's files, or a bare prompt. What they may show it was consented to before. */
export class Workshop {
  readonly #environment: Environment;
  readonly #catalogue: Catalogue;
  readonly #drafts: Drafts;
  readonly #agents: Agents;
  readonly #consent: Consent;
  readonly #providers: Providers;

  constructor(
    environment: Environment,
    parts: { catalogue: Catalogue; drafts: Drafts; agents: Agents; consent: Consent; providers: Providers },
  ) {
    this.#environment = environment;
    this.#catalogue = parts.catalogue;
    this.#drafts = parts.drafts;
    this.#agents = parts.agents;
    this.#consent = parts.consent;
    this.#providers = parts.providers;
  }

  /**
   * Starts an agent on the files of a workbench; resolves once the run is in the journal. One at a time: a second is refused.
   * A refused consent is journaled as the run's `ConsentRequired` and `Error`, before anything was sent.
   */
  async runAgent(request: AgentRequest): Promise<StartedRun> {
    const { id, name, session_id } = await this.#catalogue.find(request.workbenchId);
    const model = await this.#providers.resolve(request.model);
    const runId = request.runId ?? newId("run");
    const sessionId = request.sessionId ?? session_id;
    await this.#refuseRepeated(request, runId, {
      kind: "agent",
      workbenchId: id,
      sessionId,
      input: { task: request.task },
    });
    const release = this.#agents.claim(id, runId);
    const body: RunBody = async (run) => {
      // Waits for a change of Published that began before the claim; none begins after it.
      const manifest = await this.#environment.locks.run(id, async () => {
        const row = await this.#catalogue.find(id);
        return await this.#environment.manifests.load(row.manifest_hash);
      });
      const scope = workbenchScope(manifest);
      await this.#requireConsent(run, { model, scope, workbenchId: id, request });
      const view = await this.#drafts.viewOf(id);
      return await agentLoop({
        candidates: [candidateOf(model, { runId, workbenchId: id, scopeHash: scope.hash })],
        input: request.task,
        instructions: agentInstructions(name, view.files()),
        history: await history(this.#environment.store, sessionId, "agent", runId),
        tools: fileTools(this.#environment, this.#drafts, id),
      })(run);
    };
    const ended = async (): Promise<void> => {
      this.#consent.forget(runId);
      try {
        await this.#dropEmptyDraft(id);
      } finally {
        release();
      }
    };
    const start = { kind: "agent", workbenchId: id, sessionId, input: { task: request.task } };
    const handle = await this.#start(request, runId, start, body, ended);
    return { runId, traceId: handle.traceId, sessionId };
  }

  /** Starts one prompt to one model. With a session, the earlier prompts of that session are its history. */
  async runPrompt(request: PromptRequest): Promise<StartedRun<string | null>> {
    const model = await this.#providers.resolve(request.model);
    const runId = request.runId ?? newId("run");
    const { sessionId, instructions } = request;
    const start = {
      kind: "prompt",
      ...(sessionId !== undefined && { sessionId }),
      input: { prompt: request.prompt, ...(instructions !== undefined && { instructions }) },
    };
    await this.#refuseRepeated(request, runId, start);
    const body: RunBody = async (run) => {
      const scope = promptScope();
      await this.#requireConsent(run, { model, scope, workbenchId: noWorkbench, request });
      const { store } = this.#environment;
      return await agentLoop({
        candidates: [candidateOf(model, { runId, scopeHash: scope.hash })],
        input: request.prompt,
        ...(instructions !== undefined && { instructions }),
        ...(sessionId !== undefined && { history: await history(store, sessionId, "prompt", runId) }),
      })(run);
    };
    const handle = await this.#start(request, runId, start, body, async () => this.#consent.forget(runId));
    return { runId, traceId: handle.traceId, sessionId: sessionId ?? null };
  }

  /** Before anything is sent: without consent the run says what would have been sent, and ends. */
  async #requireConsent(
    run: RunScope,
    {
      model,
      scope,
      workbenchId,
      request,
    }: { model: ResolvedModel; scope: Scope; workbenchId: string; request: ModelRequest },
  ): Promise<void> {
    const asking = { runId: run.runId, workbenchId, userId: request.userId };
    if (await this.#consent.admit(asking, model, scope, request.consent)) return;
    const { providerId, modelId, host } = model;
    const { fileCount, totalBytes } = scope;
    await run.emit({ type: "ConsentRequired", providerId, modelId, scopeHash: scope.hash, fileCount, totalBytes });
    const shown = request.consent?.scopeHash;
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

  /** A run id that is taken is answered as such, also while another agent is at work. */
  async #refuseRepeated(request: ModelRequest, runId: string, start: RunFacts): Promise<void> {
    if (request.runId === undefined || !(await this.#environment.store.ledger.get(runId))) return;
    await this.#environment.runs.start({ ...factsOf(request, runId), ...start }, () =>
      Promise.reject(new BenchtopError("INTERNAL", "A repeated run id was started.")),
    );
  }

  async #start(
    request: ModelRequest,
    runId: string,
    start: RunFacts,
    body: RunBody,
    ended: () => Promise<void>,
  ): Promise<RunHandle> {
    // Part of the run, so that whoever sees its last event finds everything as it says.
    const whole: RunBody = async (run) => {
      try {
        return await body(run);
      } finally {
        await ended();
      }
    };
    let began = false;
    try {
      const handle = await this.#environment.runs.start({ ...factsOf(request, runId), ...start }, (run) => {
        began = true;
        return whole(run);
      });
      return handle;
    } catch (thrown) {
      if (!began) await ended();
      throw thrown;
    }
  }

  /** A run that took all its changes back leaves no Draft that would stand in the way. */
  async #dropEmptyDraft(workbenchId: string): Promise<void> {
    await this.#environment.locks.run(workbenchId, async () => {
      const draft = await this.#drafts.find(workbenchId);
      if (draft && (await this.#drafts.view(draft)).changes.size === 0) await this.#drafts.discard(draft.id);
    });
  }
}

/** A resolved model as the loop asks it, on behalf of this run. */
function candidateOf(model: ResolvedModel, context: Parameters<ResolvedModel["adapter"]>[0]): Candidate {
  const { modelId, local, prices } = model;
  return { provider: model.adapter(context), modelId, local, ...(prices && { prices }) };
}

interface RunFacts {
  readonly kind: string;
  readonly workbenchId?: string;
  readonly sessionId?: string;
  readonly input: Json;
}

function factsOf(request: ModelRequest, runId: string) {
  return { runId, userId: request.userId, model: request.model, contract: request.contract ?? {} };
}

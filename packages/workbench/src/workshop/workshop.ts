import { initOf, problemWithSchema, type OutputSchema, type ReplayReport, type RunOutcome } from "@benchtop/harness";
import type { Providers } from "@benchtop/models";
import { BenchtopError, newId, type Json, type RunInit, type RunRecord } from "@benchtop/protocol";
import { workspaceOf, type Program, type RunStart } from "@benchtop/runs";
import type { Catalogue } from "../catalogue/catalogue.ts";
import { consentRequired, type Consent } from "../consent/consent.ts";
import type { Agents } from "../draft/agents.ts";
import type { Drafts } from "../draft/drafts.ts";
import type { Environment } from "../environment.ts";
import type { Uploads } from "../files/uploads.ts";
import { askedIn, withText } from "./asked.ts";
import { keepAttachments } from "./attachments.ts";
import { contextUse, type ContextUse } from "./context-use.ts";
import { journalOf } from "./conversation/journals.ts";
import { fallbacksOf, resolvedIfThere, resolvePlan } from "./plan.ts";
import type { Asking, Programs } from "./programs.ts";
import type {
  AgentRequest,
  ChatRequest,
  ForkRequest,
  MessageRequest,
  ModelRequest,
  PromptRequest,
  RegenerateRequest,
  ResumeRequest,
  StartedRun,
} from "./requests.ts";
import { Rewinding, type Rewound } from "./conversation/rewinding.ts";
import { turnKinds, type Conversation, type Turns } from "./conversation/turns.ts";

type In<Method extends (...input: never) => unknown> = Parameters<Method>[0];

/** Runs that ask a model: an agent on a workbench's files, a message about them, or a bare prompt. What they may show it was consented to before. */
export class Workshop {
  readonly #environment: Environment;
  readonly #catalogue: Catalogue;
  readonly #drafts: Drafts;
  readonly #agents: Agents;
  readonly #uploads: Uploads;
  readonly #consent: Consent;
  readonly #providers: Providers;
  readonly #programs: Programs;
  readonly #turns: Turns;
  readonly #rewinding: Rewinding;

  constructor(
    environment: Environment,
    parts: {
      readonly catalogue: Catalogue;
      readonly drafts: Drafts;
      readonly agents: Agents;
      readonly uploads: Uploads;
      readonly consent: Consent;
      readonly providers: Providers;
      readonly programs: Programs;
      readonly turns: Turns;
    },
  ) {
    const { catalogue, drafts, consent, agents, turns } = parts;
    this.#environment = environment;
    this.#catalogue = catalogue;
    this.#drafts = drafts;
    this.#agents = agents;
    this.#turns = turns;
    this.#rewinding = new Rewinding(environment, { catalogue, drafts, agents, turns });
    this.#uploads = parts.uploads;
    this.#consent = consent;
    this.#providers = parts.providers;
    this.#programs = parts.programs;
  }

  /**
   * Starts an agent on the files of a workbench; resolves once the run is in the journal. One at a time: a second is refused.
   * A refused consent is journaled as the run's `ConsentRequired` and `Error`, before anything was sent.
   */
  async runAgent(request: AgentRequest): Promise<StartedRun> {
    const { id, workspace_id: workspaceId, session_id, memory } = await this.#catalogue.find(request.workbenchId);
    const sessionId = request.sessionId ?? session_id;
    const input = { task: request.task, ...plannedIn(request), ...(memory === 1 && { memory: true }) };
    const start = { kind: "agent", workspaceId, workbenchId: id, sessionId, input };
    return { ...(await this.#start(request, start)), sessionId };
  }

  /**
   * Says something about the files: one turn, in which the model sees their text and may propose changes. Otherwise as `runAgent`.
   */
  async sendUserMessage(request: MessageRequest): Promise<StartedRun> {
    const {
      id,
      workspace_id: workspaceId,
      session_id: sessionId,
      memory,
    } = await this.#catalogue.find(request.workbenchId);
    const model = request.model ?? (await this.#modelOf(request.workbenchId, { workspaceId, sessionId }));
    const input = { message: request.message, ...plannedIn(request), ...(memory === 1 && { memory: true }) };
    const start = { kind: "message", workspaceId, workbenchId: id, sessionId, input };
    return { ...(await this.#start({ ...request, model }, start)), sessionId };
  }

  /** Takes turns of a conversation back, with what they did to the Draft; see `Rewinding.toMessage`. */
  undoToMessage(request: In<Rewinding["toMessage"]>): Promise<Rewound> {
    return this.#rewinding.toMessage(request);
  }

  /** Takes the newest turn back, and asks the same again, of another model where one is named. */
  async regenerate(request: RegenerateRequest): Promise<StartedRun> {
    const { workbenchId, userId, discardEdits } = request;
    const row = await this.#catalogue.find(workbenchId);
    const { id, workspace_id: workspaceId, session_id: sessionId, memory } = row;
    const newest = await this.#rewinding.newestTurn(id);
    if (request.turnRunId !== undefined && request.turnRunId !== newest) {
      throw new BenchtopError("VALIDATION_FAILED", "Only the newest turn can be asked again. Undo to this one first.", {
        phase: "workshop",
        workbenchId: id,
        detail: { newest },
      });
    }
    const init = await this.#find(newest, "be asked again");
    const model = request.model ?? (await this.#modelOf(id, { workspaceId, sessionId }));
    const asked = askedIn(init.input);
    const fallbacks = request.fallbacks ?? asked.fallbacks.filter((ref) => ref !== model);
    // Whatever would refuse the new turn does so before the old one goes.
    const plan = await resolvePlan(this.#providers, workspaceId, model, fallbacks);
    const scope = await this.#consent.scopeOf(row);
    if (!(await this.#consent.wouldAdmit(row, plan.model, scope, request.consent))) {
      throw consentRequired(plan.model, scope, id, request.consent);
    }
    await this.#rewinding.toMessage({ workbenchId: id, runId: newest, discardEdits, userId });
    const text = withText({}, init.kind, asked.text) as Record<string, Json>;
    const input = { ...text, regenerates: newest, ...plannedIn({ fallbacks }), ...(memory === 1 && { memory: true }) };
    const start = { kind: init.kind, workspaceId, workbenchId: id, sessionId, input };
    return { ...(await this.#start({ ...request, model, fallbacks }, start)), sessionId };
  }

  /** Chooses the model of the turns to come. It is a run of its own, so that the conversation says so. */
  async switchModel(request: {
    workbenchId: string;
    model: string;
    userId: string;
  }): Promise<{ runId: string | null; model: string; previous: string | null }> {
    const { model, userId } = request;
    const {
      id: workbenchId,
      workspace_id: workspaceId,
      session_id: sessionId,
    } = await this.#catalogue.find(request.workbenchId);
    const place = { workspaceId, sessionId };
    await this.#providers.resolve(workspaceId, model);
    const previous = (await this.#turns.currentModel(place)) ?? null;
    if (previous === model) return { runId: null, model, previous };
    const runId = newId("run");
    const input = { model, previous };
    await this.#turns.during(place, { runId, kind: "switch-model", workbenchId }, async () => {
      const start = { runId, kind: "switch-model", userId, ...place, workbenchId, model, contract: {}, input };
      const handle = await this.#environment.runs.start(start, async () => ({
        output: `The model is ${model} from here on.`,
        result: input,
      }));
      const { error } = await handle.result;
      if (error) throw error;
    });
    return { runId, model, previous };
  }

  /** How much of a model's window the next turn takes. Nothing is sent. */
  async contextUse(input: {
    workbenchId: string;
    model?: string | undefined;
    kind: "agent" | "message";
  }): Promise<ContextUse> {
    const { workspace_id: workspaceId, session_id: sessionId } = await this.#catalogue.find(input.workbenchId);
    const model = input.model ?? (await this.#modelOf(input.workbenchId, { workspaceId, sessionId }));
    const parts = {
      catalogue: this.#catalogue,
      drafts: this.#drafts,
      turns: this.#turns,
      providers: this.#providers,
      programs: this.#programs,
    };
    return await contextUse(this.#environment, parts, { ...input, model });
  }

  /** For `Runs.recover`: a rewind that had come to its end. */
  settle(run: RunRecord): Promise<RunOutcome | undefined> {
    return this.#rewinding.settle(run);
  }

  /**
   * Starts one prompt to one model. With a session, the earlier prompts of that session are its history. Throws
   * `VALIDATION_FAILED` for a schema that is not strict, and for attachments that no model reads or that are too large.
   */
  async runPrompt(request: PromptRequest): Promise<StartedRun<string | null>> {
    const { workspaceId, sessionId, instructions, output, sampling = {} } = request;
    if (output) refuseBadSchema(output);
    const attachments = await keepAttachments(
      this.#environment,
      (sha256) => this.#uploads.take(workspaceId, sha256),
      request.attachments ?? [],
    );
    const input = {
      prompt: request.prompt,
      ...plannedIn(request),
      ...(instructions !== undefined && { instructions }),
      ...(attachments.length > 0 && { attachments }),
      ...Object.fromEntries(Object.entries(sampling).filter(([, value]) => value !== undefined)),
      ...(output && { output: { name: output.name, schema: output.schema as Json } }),
    };
    const start = { kind: "prompt", workspaceId, ...(sessionId !== undefined && { sessionId }), input };
    return { ...(await this.#start(request, start)), sessionId: sessionId ?? null };
  }

  /**
   * Starts one answer to a conversation that the caller keeps, as the chat protocols have it. What the model calls is the run's
   * result, for the caller to do. Throws what `runPrompt` throws.
   */
  async runChat(request: ChatRequest): Promise<StartedRun<null>> {
    const { workspaceId, messages, tools, output, sampling = {} } = request;
    if (output) refuseBadSchema(output);
    const input = {
      messages: [...messages] as Json[],
      ...plannedIn(request),
      ...(tools && tools.length > 0 && { callerTools: tools as unknown as Json[] }),
      ...Object.fromEntries(Object.entries(sampling).filter(([, value]) => value !== undefined)),
      ...(output && { output: { name: output.name, schema: output.schema as Json } }),
    };
    return { ...(await this.#start(request, { kind: "chat", workspaceId, input })), sessionId: null };
  }

  /**
   * Lets a run go on that waits for a person's decision, or that an interruption left open. Resolves once the decision is on
   * disk. Refused, the run stays as it is: `EGRESS_CONSENT_REQUIRED` when the consent of then is over, `REPLAY_DIVERGED` when
   * Benchtop or its gates were changed meanwhile, `VALIDATION_FAILED` for a decision that it does not wait for.
   */
  async resume(request: ResumeRequest): Promise<{ runId: string }> {
    const { runId, userId, decision, note, consent, acceptChanges } = request;
    const init = await this.#find(runId, "go on");
    const asking = { ...(await this.#planOf(init, init.model)), userId, consent };
    await this.#environment.runs.resume(runId, this.#program(init, asking), {
      userId,
      onDivergence: acceptChanges === true ? "accept" : "refuse",
      ...(decision !== undefined && { decision }),
      ...(note !== undefined && { note }),
    });
    return { runId };
  }

  /** The program of a run that a crash left open, for `Runs.recover`: it goes on where the consent of then still holds. */
  async interrupted(init: RunInit): Promise<Program | undefined> {
    if (!asksModels(init.kind)) return undefined;
    return this.#program(init, { ...(await this.#planOf(init, init.model)), userId: init.userId });
  }

  /**
   * Starts a run that begins with what another did, up to an event. On a workbench it works on the Draft as it is now: undo
   * what the other did afterwards first, where it should not be there.
   */
  async fork(request: ForkRequest): Promise<StartedRun<string | null>> {
    const { userId, seq, input, hint, contract, consent } = request;
    const init = await this.#findRecorded(request.runId, "be forked");
    const { model, fallbacks } = await this.#planOf(init, request.model ?? init.model);
    const runId = newId("run");
    const asked = input === undefined ? init.input : withText(init.input, init.kind, input);
    const handle = await this.#inTurn(factsOf({ ...init, runId }), () =>
      this.#environment.runs.fork(
        init.runId,
        this.#program({ ...init, runId }, { model, fallbacks, userId, consent }),
        {
          runId,
          userId,
          input: asked,
          model: `${model.providerId}/${model.modelId}`,
          ...(seq !== undefined && { at: seq }),
          ...(hint !== undefined && { hint }),
          ...(contract && { contract }),
        },
      ),
    );
    return { runId, traceId: handle.traceId, sessionId: init.sessionId ?? null };
  }

  /** Drives a run again from its journal, without models, tools or clock, and says where it differs first. */
  async replay(request: { runId: string; userId: string }): Promise<{ replayRunId: string; report: ReplayReport }> {
    const init = await this.#findRecorded(request.runId, "be replayed");
    const model =
      init.model === undefined ? undefined : await resolvedIfThere(this.#providers, workspaceOf(init), init.model);
    const body = this.#programs.replayed(model, await fallbacksOf(this.#providers, init, init.model));
    return await this.#environment.runs.replay(init.runId, body, request.userId);
  }

  /** Takes back what a run changed in the Draft after an event, its newest change first. */
  async undo(request: { runId: string; userId: string; after?: number | undefined }): Promise<{ runId: string }> {
    const { userId, after } = request;
    const init = await this.#find(request.runId, "be undone");
    const runId = newId("run");
    const tools = this.#programs.toolsOf(init);
    await this.#inTurn({ ...factsOf({ ...init, runId }), kind: "undo" }, () =>
      this.#environment.runs.undo(init.runId, tools, {
        runId,
        userId,
        ended: this.#claim({ ...init, runId }),
        ...(after !== undefined && { after }),
      }),
    );
    return { runId };
  }

  async #start(request: ModelRequest, start: RunFacts): Promise<{ runId: string; traceId: string }> {
    const { model, fallbacks } = await resolvePlan(
      this.#providers,
      start.workspaceId,
      request.model,
      request.fallbacks ?? [],
    );
    const { userId, consent, contract = {} } = request;
    const runId = request.runId ?? newId("run");
    const whole = { ...start, runId, userId, model: request.model, contract };
    await this.#refuseRepeated(request, whole);
    return await this.#inTurn(whole, async () => {
      const program = this.#program({ ...whole, traceId: "" }, { model, fallbacks, userId, consent });
      const { traceId } = await this.#environment.runs.start(whole, program);
      return { runId, traceId };
    });
  }

  /** A run on a workbench is a turn of its conversation; a bare prompt is in none. */
  async #inTurn<Started>(run: RunFacts & { runId: string }, start: () => Promise<Started>): Promise<Started> {
    const { workspaceId, workbenchId, sessionId, runId, kind } = run;
    if (workbenchId === undefined || sessionId === undefined) return await start();
    return await this.#turns.during({ workspaceId, sessionId }, { runId, kind, workbenchId }, start);
  }

  /** The model of a conversation. Throws `PROVIDER_NOT_CONFIGURED` before one was named. */
  async #modelOf(workbenchId: string, place: Conversation): Promise<string> {
    const model = await this.#turns.currentModel(place);
    if (model !== undefined) return model;
    throw new BenchtopError("PROVIDER_NOT_CONFIGURED", "Nothing was said in this workbench yet. Name a model.", {
      phase: "workshop",
      actions: ["switch_model"],
      workbenchId,
    });
  }

  /** A run id that is taken is answered as such, also while another agent is at work. */
  async #refuseRepeated(request: ModelRequest, start: RunStart): Promise<void> {
    if (request.runId === undefined || !(await this.#environment.store.ledger.get(request.runId))) return;
    await this.#environment.runs.start(start, () =>
      Promise.reject(new BenchtopError("INTERNAL", "A repeated run id was started.")),
    );
  }

  /** What a run does, and what it holds meanwhile: its workbench, and the consent that was given for it alone. */
  #program(init: RunInit, asking: Asking): Program {
    const release = this.#claim(init);
    return {
      body: this.#programs.live(asking),
      ended: async () => {
        this.#consent.forget(init.runId);
        await release();
      },
    };
  }

  /** Claims the workbench of a run; what is returned gives it back, without a Draft that changes nothing. */
  #claim({ workbenchId, runId }: RunInit): () => Promise<void> {
    if (workbenchId === undefined) return async () => {};
    const release = this.#agents.claim(workbenchId, runId);
    return async () => {
      try {
        await this.#dropEmptyDraft(workbenchId);
      } finally {
        release();
      }
    };
  }

  async #find(runId: string, what: string): Promise<RunInit> {
    const [started] = await this.#environment.store.journal.read(runId, { limit: 1 });
    const init = initOf(started);
    if (asksModels(init.kind)) return init;
    throw new BenchtopError("VALIDATION_FAILED", `A run of kind "${init.kind}" cannot ${what}.`, {
      phase: "workshop",
      runId,
    });
  }

  /** The same for a run that is driven again from its journal, which has to name what the run was told. */
  async #findRecorded(runId: string, what: string): Promise<RunInit> {
    const init = await this.#find(runId, what);
    const told = await journalOf(this.#environment.store, runId, ["ContextAssembled", "ProviderCallStarted"]);
    if (told.length === 0 || told[0]?.type === "ContextAssembled") return init;
    throw new BenchtopError(
      "VALIDATION_FAILED",
      `This run cannot ${what}: it was recorded by an earlier Benchtop, which did not keep what the run was told.`,
      { phase: "workshop", runId },
    );
  }

  /** The models of a run that began before. Throws `PROVIDER_NOT_CONFIGURED` when the first is gone; a fallback may be. */
  async #planOf(init: RunInit, first: string | undefined): Promise<Pick<Asking, "model" | "fallbacks">> {
    const model = await this.#providers.resolve(workspaceOf(init), first ?? "");
    return { model, fallbacks: await fallbacksOf(this.#providers, init, first) };
  }

  /** A run that took all its changes back leaves no Draft that would stand in the way. */
  async #dropEmptyDraft(workbenchId: string): Promise<void> {
    await this.#environment.locks.run(workbenchId, async () => {
      const draft = await this.#drafts.find(workbenchId);
      if (draft && (await this.#drafts.view(draft)).changes.size === 0) await this.#drafts.discard(draft.id);
    });
  }
}

interface RunFacts {
  readonly kind: string;
  readonly workspaceId: string;
  readonly workbenchId?: string;
  readonly sessionId?: string;
  readonly input: Json;
}

function factsOf(init: RunInit): RunFacts & { runId: string } {
  const { runId, kind, workbenchId, sessionId, input } = init;
  return {
    runId,
    kind,
    workspaceId: workspaceOf(init),
    ...(workbenchId !== undefined && { workbenchId }),
    ...(sessionId !== undefined && { sessionId }),
    input,
  };
}

function asksModels(kind: string): boolean {
  return turnKinds.has(kind) || kind === "prompt" || kind === "chat";
}

/** What the input of a run says of its models; the first is in `RunStarted.model`. */
function plannedIn({ fallbacks = [] }: Pick<ModelRequest, "fallbacks">): { fallbacks?: string[] } {
  return fallbacks.length > 0 ? { fallbacks: [...fallbacks] } : {};
}

function refuseBadSchema({ schema }: OutputSchema): void {
  const problem = problemWithSchema(schema);
  if (problem === undefined) return;
  throw new BenchtopError("VALIDATION_FAILED", `The schema of the output cannot be used: ${problem}`, {
    phase: "workshop",
    detail: { fields: ["output.schema"] },
  });
}

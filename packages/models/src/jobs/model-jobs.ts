import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { initOf } from "@benchtop/harness";
import { BenchtopError, newId, type Json } from "@benchtop/protocol";
import type { Runs, RunStart } from "@benchtop/runs";
import type { RunBody } from "@benchtop/harness";
import type { JobParts } from "./job.ts";
import { quantizeInRun, type QuantizeRequest } from "./quantize-job.ts";
import { checkResumable, TrainingInput, trainInRun, type TrainRequest } from "./train-job.ts";

interface Whose {
  readonly userId: string;
  readonly workspaceId: string;
  readonly runId?: string | undefined;
}

interface StartedJob {
  readonly runId: string;
  readonly traceId: string;
}

const keptMs = 30 * 24 * 60 * 60 * 1000;

/** A day: longer than any job on one machine should take without a word. */
const contract = { maxDurationMs: 24 * 60 * 60 * 1000 };

/** Makes models out of models and out of examples. Each job is a run: its journal tells how far it is and what came of it. */
export class ModelJobs {
  readonly #parts: JobParts & { readonly runs: Runs };
  /** Folders of trainings that are going: two must not write one checkpoint. */
  readonly #working = new Set<string>();

  constructor(parts: JobParts & { readonly runs: Runs }) {
    this.#parts = parts;
  }

  /** Throws `NOT_FOUND`, `VALIDATION_FAILED` for a name that is taken, and what `Runs.start` throws. */
  async quantize(
    request: Whose & Omit<QuantizeRequest, "as" | "text"> & { as?: string | undefined; text?: string | undefined },
  ): Promise<StartedJob> {
    const { name, quantization, importance } = request;
    const { registry } = this.#parts;
    await registry.get(name);
    const as = request.as ?? `${name}-${quantization.toLowerCase().replaceAll("_", "-")}`;
    await this.#refuseTaken(as);
    const asked: QuantizeRequest = { name, quantization, as, text: request.text, importance };
    const input = { name, quantization, as, importance, prompt: `${name} as ${quantization}` };
    return await this.#start("quantize", request, input, (run) => quantizeInRun(run, asked, this.#parts));
  }

  /** Throws as `quantize` does, and `VALIDATION_FAILED` for examples that cannot be read, naming the line. */
  async train(request: Whose & TrainRequest): Promise<StartedJob> {
    const { name, plan } = request;
    const { registry } = this.#parts;
    if (plan.base !== undefined) await registry.get(plan.base);
    await this.#refuseTaken(name);
    const runId = request.runId ?? newId("run");
    const evaluation = request.evaluation === undefined ? undefined : await this.#keep(request.evaluation);
    const input: TrainingInput = {
      name,
      plan,
      examples: await this.#keep(request.examples),
      ...(evaluation && { evaluation }),
      work: runId,
    };
    return await this.#startTraining({ ...request, runId }, input);
  }

  /**
   * Goes on with a training that was stopped or failed, as a run of its own. Throws `VALIDATION_FAILED` where it left no
   * checkpoint, `NOT_FOUND`.
   */
  async resumeTraining({ runId, ...whose }: Omit<Whose, "runId"> & { runId: string }): Promise<StartedJob> {
    const [started] = await this.#parts.store.journal.read(runId, { limit: 1 });
    const init = initOf(started);
    const input = TrainingInput.safeParse(init.input);
    if (init.kind !== "train" || !input.success) {
      throw new BenchtopError("VALIDATION_FAILED", `The run ${runId} is no training.`, { phase: "job", runId });
    }
    const { status } = (await this.#parts.store.ledger.get(runId)) ?? {};
    if (status === "pending") {
      throw new BenchtopError("VALIDATION_FAILED", `The training ${runId} is still going.`, { phase: "job", runId });
    }
    await checkResumable(this.#parts.home, input.data);
    await this.#refuseTaken(input.data.name);
    return await this.#startTraining(whose, input.data, runId);
  }

  /** Removes what trainings that nobody went on with left a month ago. */
  async clean(): Promise<void> {
    const folder = join(this.#parts.home, "models", "training");
    const names = await readdir(folder).catch(() => []);
    for (const name of names) {
      const path = join(folder, name);
      const { mtimeMs } = await stat(path);
      if (Date.now() - mtimeMs > keptMs) await rm(path, { recursive: true, force: true });
    }
  }

  async #startTraining(whose: Whose, input: TrainingInput, parentRunId?: string): Promise<StartedJob> {
    const json = JSON.parse(JSON.stringify({ ...input, prompt: `Train ${input.name}` })) as Json;
    const { work, name } = input;
    if (this.#working.has(work)) {
      throw new BenchtopError("VALIDATION_FAILED", `The training of ${name} is still going.`, { phase: "job" });
    }
    this.#working.add(work);
    const body: RunBody = async (run) => {
      try {
        return await trainInRun(run, input, this.#parts);
      } finally {
        this.#working.delete(work);
      }
    };
    try {
      return await this.#start("train", whose, json, body, parentRunId);
    } catch (thrown) {
      this.#working.delete(work);
      throw thrown;
    }
  }

  async #keep(text: string): Promise<{ sha256: string; bytes: number }> {
    return await this.#parts.store.blobs.put(new TextEncoder().encode(text));
  }

  async #start(
    kind: string,
    { userId, workspaceId, runId }: Whose,
    input: Json,
    body: RunBody,
    parentRunId?: string,
  ): Promise<StartedJob> {
    const start: RunStart = {
      kind,
      userId,
      workspaceId,
      contract,
      input,
      ...(runId !== undefined && { runId }),
      ...(parentRunId !== undefined && { parentRunId }),
    };
    const handle = await this.#parts.runs.start(start, body);
    return { runId: handle.runId, traceId: handle.traceId };
  }

  async #refuseTaken(name: string): Promise<void> {
    const models = await this.#parts.registry.list();
    if (!models.some((model) => model.name === name)) return;
    throw new BenchtopError("VALIDATION_FAILED", `A model named ${name} is installed already. Choose another name.`, {
      phase: "job",
      detail: { fields: ["name"] },
    });
  }
}

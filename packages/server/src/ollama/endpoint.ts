import type { IncomingMessage, ServerResponse } from "node:http";
import { BenchtopError } from "@benchtop/protocol";
import type { z } from "zod";
import { createCaller, type Caller, type CallerParts } from "../api/caller.ts";
import { errorOf, toFailure } from "../api/failure.ts";
import { parseJson } from "../api/json-text.ts";
import { Refusal } from "../api/refusal.ts";
import { sendFailure } from "../http/answer.ts";
import { readJsonBytes, type BodyLimits } from "../http/body.ts";
import { goneSignal } from "../http/caller.ts";
import type { OwnAddresses } from "../identity/origin.ts";
import { proofOf } from "../identity/proof.ts";
import { answerChat, answerGenerate } from "./chat.ts";
import { answerEmbed, answerEmbeddings } from "./embed.ts";
import { Lines } from "./lines.ts";
import { installedModels, modelDetails, runningModels } from "./models.ts";
import { pull } from "./pull.ts";
import {
  ChatRequest,
  EmbedRequest,
  EmbeddingsRequest,
  GenerateRequest,
  NamedRequest,
  PullRequest,
} from "./requests.ts";
import { nameIn } from "./names.ts";

export interface OllamaParts extends CallerParts {
  readonly limits: BodyLimits;
  readonly addresses: () => OwnAddresses;
}

export type Route =
  | "version"
  | "tags"
  | "show"
  | "ps"
  | "chat"
  | "generate"
  | "embed"
  | "embeddings"
  | "pull"
  | "delete"
  | "create"
  | "copy"
  | "push";

/** The version of Ollama whose protocol this is. Some clients ask for a least one. */
const protocolVersion = "0.12.0";

/** What an answer is made with. */
export interface Exchange {
  readonly caller: Caller;
  /** One JSON object, or one a line. */
  readonly lines: Lines;
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal;
}

/** One request of Ollama's protocol, done by our own operations as the caller. Failures are answered in its words: `{ error }`. */
export async function serveOllama(
  parts: OllamaParts,
  route: Route,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const lines = new Lines(response);
  try {
    checkMethod(route, request);
    const proof = proofOf(request, parts.addresses());
    const caller = createCaller(parts, await parts.identities.identify(proof), proof, "ollama");
    const exchange = { caller, lines, signal: goneSignal(response) };
    const body = async <Schema extends z.ZodType>(schema: Schema) => read(schema, request, parts.limits);
    await answer(route, exchange, body);
  } catch (thrown) {
    const failure = await toFailure(parts, thrown, {});
    const { message } = errorOf(failure);
    // Where lines have gone out already the failure is the last of them.
    if (!lines.fail(message)) sendFailure(request, response, failure, JSON.stringify({ error: message }));
  }
}

async function answer(
  route: Route,
  exchange: Exchange,
  body: <Schema extends z.ZodType>(schema: Schema) => Promise<z.output<Schema>>,
): Promise<void> {
  const { caller, lines, signal } = exchange;
  switch (route) {
    case "version":
      return lines.whole({ version: protocolVersion });
    case "tags":
      return lines.whole({ models: await installedModels(caller, signal) });
    case "ps":
      return lines.whole({ models: await runningModels(caller, signal) });
    case "show":
      return lines.whole(await modelDetails(caller, nameIn(await body(NamedRequest)), signal));
    case "delete":
      await caller.call("localModels.remove", { name: nameIn(await body(NamedRequest)) }, signal);
      return lines.whole({ status: "success" });
    case "chat":
      return await answerChat(exchange, await body(ChatRequest));
    case "generate":
      return await answerGenerate(exchange, await body(GenerateRequest));
    case "embed":
      return await answerEmbed(exchange, await body(EmbedRequest));
    case "embeddings":
      return await answerEmbeddings(exchange, await body(EmbeddingsRequest));
    case "pull":
      return await pull(exchange, await body(PullRequest));
    case "create":
    case "copy":
    case "push":
      throw new Refusal(
        501,
        "VALIDATION_FAILED",
        `Benchtop does not ${route} models this way. \`benchtop models\` installs, quantizes and trains them.`,
      );
  }
}

function checkMethod(route: Route, { method = "" }: IncomingMessage): void {
  const reads = ["version", "tags", "ps"].includes(route);
  const allowed = reads ? ["GET", "HEAD"] : route === "delete" ? ["DELETE"] : ["POST"];
  if (allowed.includes(method)) return;
  throw new Refusal(405, "VALIDATION_FAILED", `This address answers ${allowed.join(" and ")}.`, {
    headers: { allow: allowed.join(", ") },
  });
}

async function read<Schema extends z.ZodType>(
  schema: Schema,
  request: IncomingMessage,
  limits: BodyLimits,
): Promise<z.output<Schema>> {
  const text = new TextDecoder().decode(await readJsonBytes(request, limits));
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    throw new BenchtopError("VALIDATION_FAILED", "The body is not valid JSON.", { phase: "run" });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new BenchtopError("VALIDATION_FAILED", `${issue?.path.join(".") || "The body"}: ${issue?.message ?? "wrong"}`, {
    phase: "run",
    detail: { fields: [issue?.path.join(".") ?? ""] },
  });
}

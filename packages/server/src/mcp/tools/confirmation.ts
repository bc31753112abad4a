import { createHash, randomUUID } from "node:crypto";
import { BenchtopError } from "@benchtop/protocol";
import { acceptedContent, inputRequired, inputResponse } from "@modelcontextprotocol/server";
import { z } from "zod";
import type { McpRequest, ToolAnswer } from "../feature.ts";
import type { Fields } from "./offers.ts";

/** What a person is asked to confirm, and the input that does exactly that and nothing else. */
export interface Question {
  /** What will happen, in one line. */
  readonly title: string;
  readonly lines: readonly string[];
  /** The input with everything pinned that the question told of. */
  readonly pinned: Fields;
}

/** What the client brings back with the person's answer. Signed, so that only a question of ours can be answered. */
const State = z.object({
  /** The tool and its arguments. */
  asked: z.string(),
  /** What the person was shown. */
  shown: z.string(),
  pinned: z.record(z.string(), z.unknown()),
  nonce: z.string(),
});
const Confirmation = z.object({ confirm: z.literal(true) });

/**
 * Runs `execute` once the person at the client has confirmed what `question` says. The first time it asks; when the client
 * comes back with the answer, the pinned input of the question that was asked is executed, once, and none else. Throws
 * `PERMISSION_DENIED` for a client that cannot ask a person, and `USER_CANCELED` when they said no.
 */
export async function confirmed(
  request: McpRequest,
  { tool, input, instead }: { readonly tool: string; readonly input: Fields; readonly instead: string },
  question: () => Promise<Question>,
  execute: (pinned: Fields) => Promise<ToolAnswer>,
): Promise<ToolAnswer> {
  if (!canAsk(request)) throw cannotAsk(tool, instead);
  const asked = hashOf(tool, input);
  const now = await question();
  const shown = hashOf(now.title, now.lines);
  const state = State.safeParse(request.context.mcpReq.requestState());
  const answers = request.context.mcpReq.inputResponses;
  const isAnswer =
    state.success &&
    state.data.asked === asked &&
    // Something else would happen now than they were told: they are told again.
    state.data.shown === shown &&
    inputResponse(answers, "confirmation").kind === "elicit";
  if (!isAnswer) return await ask(request, { asked, shown }, now);

  // A no uses the question up, too.
  const isFirst = request.once(state.data.nonce);
  if (acceptedContent(answers, "confirmation", Confirmation) === undefined) throw refused(tool);
  if (!isFirst) throw usedUp(tool);
  return await execute(state.data.pinned);
}

async function ask(
  request: McpRequest,
  about: { readonly asked: string; readonly shown: string },
  { title, lines, pinned }: Question,
): Promise<ToolAnswer> {
  return inputRequired({
    inputRequests: {
      confirmation: inputRequired.elicit({
        message: [title, ...lines].join("\n"),
        requestedSchema: {
          type: "object",
          properties: {
            confirm: { type: "boolean", title: "Yes, do this", description: title.slice(0, 200), default: false },
          },
          required: ["confirm"],
        },
      }),
    },
    requestState: await request.seal({ ...about, pinned, nonce: randomUUID() } satisfies z.infer<typeof State>),
  });
}

/** By the specification a client that says `elicitation: {}` and no more can show forms. */
function canAsk({ capabilities }: McpRequest): boolean {
  const { elicitation } = capabilities;
  return elicitation !== undefined && (elicitation.form !== undefined || elicitation.url === undefined);
}

function cannotAsk(tool: string, instead: string): BenchtopError {
  return new BenchtopError(
    "PERMISSION_DENIED",
    `A person has to confirm ${tool}, and this client cannot ask one (it has no form elicitation). Tell them to do it in the console, or with: ${instead}`,
    { phase: "settings", subphase: "confirmation", actions: [], detail: { tool, instead } },
  );
}

function refused(tool: string): BenchtopError {
  return new BenchtopError("USER_CANCELED", "The person did not confirm it. Nothing was changed.", {
    phase: "settings",
    subphase: "confirmation",
    retryable: false,
    actions: [],
    detail: { tool },
  });
}

function usedUp(tool: string): BenchtopError {
  return new BenchtopError("PERMISSION_DENIED", "This confirmation was used already. Ask again.", {
    phase: "settings",
    subphase: "confirmation",
    actions: [],
    detail: { tool },
  });
}

function hashOf(name: string, value: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify([name, value]))
    .digest("base64url");
}

import { BenchtopError } from "@benchtop/protocol";
import { parseInput } from "../../api/input.ts";
import type { Entry, Registry } from "../../api/registry.ts";
import type { McpFeature, McpRequest, ToolAnswer } from "../feature.ts";
import { confirmed } from "./confirmation.ts";
import { offerOf, type Offer } from "./offers.ts";
import { toToolResult } from "./tool-result.ts";
import { defaultPageSize, describeTool, toolNameOf, withheldFields } from "./tool-schemas.ts";
import { questionOf } from "./what-happens.ts";

type Offered = Exclude<Offer, { kind: "none" }>;

/** Every operation that `offers.ts` offers, as a tool. Those that the caller may not use are not there for them. */
export function operationTools(registry: Registry): McpFeature {
  const byName = new Map<string, { readonly entry: Entry; readonly offer: Offered }>();
  for (const entry of registry.entries) {
    const offer = offerOf(entry.operation);
    const isOwnTool = offer.kind === "draft" && offer.tool !== undefined;
    if (offer.kind !== "none" && !isOwnTool) byName.set(toolNameOf(entry.operation.id), { entry, offer });
  }
  return {
    tools: ({ caller }) =>
      [...byName.values()].flatMap(({ entry: { operation } }) => {
        const tool = caller.may(operation.permission) ? describeTool(operation) : undefined;
        return tool === undefined ? [] : [tool];
      }),
    callTool(name, args, request) {
      const found = byName.get(name);
      return found && callOperationTool(found.entry, found.offer, args, request);
    },
  };
}

async function callOperationTool(
  entry: Entry,
  offer: Offered,
  args: Record<string, unknown>,
  request: McpRequest,
): Promise<ToolAnswer> {
  const { operation } = entry;
  refuseWithheld(args);
  const fields = withPageSize(entry, args);
  const execute = async (input: Readonly<Record<string, unknown>>): Promise<ToolAnswer> => {
    const answer = await request.caller.answer(
      entry,
      { ...input },
      {
        signal: request.signal,
        idempotencyKey: idempotencyKeyOf(request),
        progress: ({ phase, done, total }) => void request.progress(done ?? 0, phase, total),
      },
    );
    return await toToolResult(answer);
  };
  // Whoever may not do it gets the operation's own refusal, and nobody is asked.
  const isFree = offer.kind !== "gated" || offer.unless?.(fields) === true;
  if (isFree || !request.caller.may(operation.permission)) return await execute(fields);
  const input = parseInput(operation, fields);
  return await confirmed(
    request,
    { tool: toolNameOf(operation.id), input: fields, instead: offer.instead(fields) },
    () => questionOf(operation, { input, caller: request.caller, signal: request.signal }),
    execute,
  );
}

/** Taken away silently, a model would believe that it had agreed for the person. */
export function refuseWithheld(args: Readonly<Record<string, unknown>>): void {
  const withheld = withheldFields.find((name) => args[name] !== undefined);
  if (withheld === undefined) return;
  throw new BenchtopError(
    "PERMISSION_DENIED",
    "Consent to send something elsewhere is given by a person, not over MCP. Leave the field out; the person agrees in the console, or with `benchtop ask … --consent once|always`.",
    { phase: "workshop", actions: ["grant_consent"], detail: { field: withheld } },
  );
}

function withPageSize({ operation }: Entry, args: Record<string, unknown>): Record<string, unknown> {
  const isPaged = operation.method === "GET" && Object.hasOwn(operation.input.shape, "limit");
  return isPaged && args["limit"] === undefined ? { ...args, limit: defaultPageSize } : args;
}

/** Beside the arguments, which the model writes: the client may send one, so that a call it repeats is made once. */
function idempotencyKeyOf({ context }: McpRequest): string | undefined {
  const key = context.mcpReq._meta?.["benchtop/idempotency-key"];
  return typeof key === "string" ? key : undefined;
}

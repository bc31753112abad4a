import type { ToolCall, ToolMessage } from "@benchtop/protocol";
import { decideGates, type GateDecision } from "../gates/decide.ts";
import type { Gate, GateAsk } from "../gates/gate.ts";
import type { RunScope } from "../run/scope.ts";
import { RunSuspended } from "../run/suspension.ts";
import { callTool, deniedCall, type ToolConditions } from "./call-tool.ts";
import type { ToolRegistry } from "./registry.ts";
import type { Tool, ToolResult } from "./tool.ts";

/** What every call of a run is made under. */
export interface ToolRules {
  readonly gates: readonly Gate[];
  readonly askModel?: GateAsk;
  readonly timeoutMs: number;
  readonly graceMs: number;
}

/** Calls of one answer that run at the same time, at most. */
const maxConcurrentCalls = 8;

/**
 * Makes the calls of one answer and gives their results in its order. They run one after the other; neighbours whose tools
 * all say that they may run at the same time do. Gates decide on a group before any of it is executed, so that nothing is
 * half done while a person is asked.
 */
export async function callTools(
  run: RunScope,
  tools: ToolRegistry,
  calls: readonly ToolCall[],
  rules: ToolRules,
): Promise<ToolMessage[]> {
  const results: ToolMessage[] = [];
  try {
    for (const group of groupsOf(tools, calls)) {
      const admitted: { call: ToolCall; conditions: ToolConditions }[] = [];
      for (const call of group) {
        admitted.push({ call, conditions: await admit(run, tools.get(call.name), call, rules) });
      }
      const ended = admitted.map(({ call, conditions }) => callTool(run, tools, call, conditions));
      results.push(...(await allEnded(ended)));
    }
    return results;
  } catch (thrown) {
    if (thrown instanceof RunSuspended) await run.emit(thrown.suspended);
    throw thrown;
  }
}

/** What all of them came to, once none is going any more. A failure comes before a question to a person. */
async function allEnded(going: readonly Promise<ToolMessage>[]): Promise<ToolMessage[]> {
  const reasons = (await Promise.allSettled(going)).flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
  const failure: unknown = reasons.find((reason) => !(reason instanceof RunSuspended)) ?? reasons[0];
  if (failure !== undefined) throw failure;
  return await Promise.all(going);
}

function groupsOf(tools: ToolRegistry, calls: readonly ToolCall[]): ToolCall[][] {
  const groups: ToolCall[][] = [];
  let isConcurrent = false;
  for (const call of calls) {
    const mayJoin = tools.get(call.name)?.concurrent === true;
    const last = groups.at(-1);
    if (last && mayJoin && isConcurrent && last.length < maxConcurrentCalls) last.push(call);
    else groups.push([call]);
    isConcurrent = mayJoin;
  }
  return groups;
}

/** Asks the gates, and the person where they say so; a run that has to wait for the person is suspended here. */
async function admit(
  run: RunScope,
  tool: Tool | undefined,
  call: ToolCall,
  { gates, askModel, timeoutMs, graceMs }: ToolRules,
): Promise<ToolConditions> {
  const conditions = { timeoutMs, graceMs };
  if (!tool || gates.length === 0) return conditions;
  const subject = { call, tool: { name: tool.name, effects: tool.effects } };
  const decision = await decideGates(run, gates, { point: "tool-call", ...subject }, askModel);
  const denied = refusal(run, call, decision);
  if (denied) return { ...conditions, denied };
  return {
    ...conditions,
    screen: async (result) => {
      const screened = await decideGates(
        run,
        gates,
        { point: "tool-result", text: result.content, ...subject },
        askModel,
      );
      return screenedResult(call, result, screened);
    },
  };
}

function refusal(run: RunScope, call: ToolCall, decision: GateDecision): ToolResult | undefined {
  if (decision.decision === "allow") return undefined;
  if (decision.decision === "deny") {
    const message = `The gate "${decision.gate}" does not allow this call: ${decision.reason}`;
    return deniedCall(call.name, message, "Do not try it again in another way; say what you could not do.");
  }
  const { gate, question } = decision;
  const decided = run.decisionsOn(call.callId).findLast(({ asked }) => asked === "approval");
  if (decided?.decision === "approve") return undefined;
  if (decided) {
    const note = decided.note === undefined ? "" : `They say: ${decided.note}`;
    return deniedCall(call.name, "The person did not allow this call.", note);
  }
  throw new RunSuspended({
    reason: "approval",
    callId: call.callId,
    tool: call.name,
    arguments: call.arguments,
    gate,
    question,
  });
}

function screenedResult(call: ToolCall, result: ToolResult, decision: GateDecision): ToolResult {
  if (decision.decision === "allow") {
    return decision.text === undefined ? result : { ...result, content: decision.text };
  }
  const reason = decision.decision === "deny" ? decision.reason : decision.question;
  const withheld = `What the tool "${call.name}" said was withheld by the gate "${decision.gate}": ${reason}`;
  return { ...result, content: withheld };
}

import { BenchtopError } from "@benchtop/protocol";
import type { CompleteRequestParams, GetPromptResult, Prompt, PromptMessage } from "@modelcontextprotocol/server";
import type { McpFeature, McpRequest } from "../feature.ts";
import { completeRun, completeWorkbench } from "../resources/completion.ts";
import { readJournal } from "../resources/journal-text.ts";
import { readOverview } from "../resources/overview.ts";
import { reviewText } from "../resources/review-text.ts";
import { uriOf } from "../resources/uris.ts";
import { quoted } from "../tools/shown.ts";
import { untrusted } from "../tools/tool-result.ts";

type Arguments = Readonly<Record<string, string>>;

/** A prompt and how it is put together from what is there. */
interface Recipe {
  readonly prompt: Prompt;
  readonly needs: "workbenches:read" | "runs:read";
  readonly assemble: (args: Arguments, request: McpRequest) => Promise<GetPromptResult>;
}

const workbench = { name: "workbench", description: "Name or id of the workbench", required: true };

const recipes: readonly Recipe[] = [
  {
    prompt: {
      name: "review_draft",
      title: "Review my Draft",
      description: "Look for mistakes in what a Draft would change, before a person publishes it.",
      arguments: [workbench],
    },
    needs: "workbenches:read",
    assemble: reviewDraft,
  },
  {
    prompt: {
      name: "explain_run",
      title: "Explain why a run failed",
      description: "Read the journal of a run and say what happened, why, and what to do next.",
      arguments: [{ name: "run", description: "Id of the run", required: true }],
    },
    needs: "runs:read",
    assemble: explainRun,
  },
  {
    prompt: {
      name: "plan_work",
      title: "Plan work on a workbench",
      description: "Split a goal into tasks for agents, from the files that are there and what was done before.",
      arguments: [workbench, { name: "goal", description: "What should come of it", required: true }],
    },
    needs: "workbenches:read",
    assemble: planWork,
  },
];

export const benchtopPrompts: McpFeature = {
  prompts: ({ caller }) => recipes.filter(({ needs }) => caller.may(needs)).map(({ prompt }) => prompt),
  getPrompt(name, args, request) {
    const recipe = recipes.find(({ prompt }) => prompt.name === name);
    if (recipe === undefined || !request.caller.may(recipe.needs)) return undefined;
    return assembled(recipe, args, request);
  },
  complete({ ref, argument }: CompleteRequestParams, { caller, signal }) {
    if (ref.type !== "ref/prompt" || !recipes.some(({ prompt }) => prompt.name === ref.name)) return undefined;
    if (argument.name === "workbench") return completeWorkbench(argument.value, caller, signal);
    if (argument.name === "run") return completeRun(argument.value, caller, signal);
    return Promise.resolve([]);
  },
};

async function assembled({ prompt, assemble }: Recipe, args: Arguments, request: McpRequest): Promise<GetPromptResult> {
  const missing = prompt.arguments?.find(({ name, required }) => required === true && !args[name]);
  if (missing === undefined) return await assemble(args, request);
  throw new BenchtopError("VALIDATION_FAILED", `The prompt needs ${missing.name}.`, {
    detail: { fields: [missing.name] },
  });
}

async function reviewDraft(args: Arguments, { caller, signal }: McpRequest): Promise<GetPromptResult> {
  const { workbenchId, name } = await caller.call("workbenches.open", { workbenchId: args["workbench"] ?? "" }, signal);
  const { text } = await reviewText(caller, workbenchId, signal);
  return {
    description: `Review the Draft of ${quoted(name)}`,
    messages: [
      say(
        `Review the Draft of the workbench ${quoted(name)} before I publish it. Say for each file whether the change does what it should; point at mistakes, at what was lost, at numbers that do not add up, and at deletions that I should look at twice. Name the file and the line. End with whether you would publish it. Publish nothing: that is mine to do.`,
      ),
      give(uriOf({ kind: "review", workbenchId }), "text/x-diff", text),
    ],
  };
}

async function explainRun(args: Arguments, { caller, signal }: McpRequest): Promise<GetPromptResult> {
  const runId = args["run"] ?? "";
  const journal = await readJournal(caller, runId, signal);
  return {
    description: `Explain the run ${journal.run.runId}`,
    messages: [
      say(
        `This is the journal of the run ${journal.run.runId} of Benchtop (${journal.run.status}${journal.run.errorCode === null ? "" : `, ${journal.run.errorCode}`}). Say in a few sentences what it was asked, how far it came, and why it ended as it did; quote the event (its seq) that shows it. Then say what I can do: in this order what is cheapest to try. If it did not fail, say so.`,
      ),
      give(uriOf({ kind: "run", runId: journal.run.runId }), "application/json", JSON.stringify(journal)),
    ],
  };
}

async function planWork(args: Arguments, { caller, signal }: McpRequest): Promise<GetPromptResult> {
  const overview = await readOverview(caller, args["workbench"] ?? "", signal);
  const { workbenchId, name } = overview;
  return {
    description: `Plan work on ${quoted(name)}`,
    messages: [
      say(
        `Plan work on the workbench ${quoted(name)}. My goal: ${args["goal"] ?? ""}\n\nRead the files that matter (files_read) before you decide. Split the goal into tasks that an agent can do one after the other with workshop_run_agent, each with the files it reads, the files it writes and how to see that it is right. Everything an agent writes lands in the Draft; I publish. Say what you would need to know from me. Start nothing yet.`,
      ),
      give(uriOf({ kind: "workbench", workbenchId }), "application/json", JSON.stringify(overview)),
    ],
  };
}

function say(text: string): PromptMessage {
  return { role: "user", content: { type: "text", text } };
}

/** What others wrote, as an attachment and not as words of the person. */
function give(uri: string, mimeType: string, text: string): PromptMessage {
  return {
    role: "user",
    content: { type: "resource", resource: { uri, mimeType, text, _meta: untrusted }, _meta: untrusted },
  };
}

import type { InputOf, Operations } from "@benchtop/operations";
import { BenchtopError } from "@benchtop/protocol/errors";
import { newId } from "@benchtop/protocol/identifiers";
import type { Command } from "commander";
import { type ConsentMode, consentFor, scopesOfPrompt } from "../consent.ts";
import { exitCodes, reportFailure } from "../failure.ts";
import { showRun } from "../follow.ts";
import type { Invocation } from "../invocation.ts";
import { printable } from "../output/format.ts";
import { pipedLines, TypedLines } from "../typed-lines.ts";
import { addCommand, addSamplingOptions, consentOption, samplingOf, type SamplingOptions } from "./command.ts";
import { machineOfDaemon } from "./model-files.ts";
import { isOfMachine, modelOf, quoted } from "./names.ts";

export function addChatCommand(program: Command, invocation: Invocation): void {
  const command = addCommand(
    program,
    "chat [model]",
    "A conversation with a model. Without one named, BENCHTOP_MODEL, else the guide, which is there from the start.",
    [
      "benchtop chat                                          # ask the guide: no account, no network",
      "benchtop chat benchtop/qwen3-0.6b --temperature 0.2    # a model that is installed here",
      "benchtop chat openai/gpt-5.2 --consent once             # one elsewhere: what you type is sent there",
      'echo "how do I publish" | benchtop chat                # each line of standard input is a question',
    ],
  )
    .option("--instructions <text>", "what the model is told beside your questions")
    .option("--session <id>", "the conversation to go on with")
    .addOption(consentOption());
  addSamplingOptions(command).action((model: string | undefined, options: ChatOptions) =>
    chat(invocation, model ?? (process.env["BENCHTOP_MODEL"] || guide), options),
  );
}

const guide = "benchtop/guide";

interface ChatOptions extends SamplingOptions {
  readonly instructions?: string;
  readonly session?: string;
  readonly consent?: ConsentMode;
}

async function chat(invocation: Invocation, model: string, options: ChatOptions): Promise<void> {
  const conversation = new Conversation(invocation, model, options);
  if (invocation.terminal.isInteractive) return await talk(invocation, conversation);
  for await (const question of pipedLines(process.stdin)) await conversation.ask(question);
}

/** Until Ctrl-D, `/exit`, or Ctrl-C where nothing was typed. What fails is said, and the conversation goes on. */
async function talk(invocation: Invocation, conversation: Conversation): Promise<void> {
  const { terminal } = invocation;
  const { dim } = terminal.errorColours;
  const lines = new TypedLines();
  const signals = listenForSignals(lines);
  try {
    for (const line of await conversation.greeting()) terminal.errorLine(dim(line));
    while (!signals.ended) {
      const line = await lines.next();
      if (line === undefined) break;
      if (line.trim() === "") continue;
      try {
        if (!line.startsWith("/")) await conversation.ask(line);
        else if (!(await obey(invocation, conversation, line.trim()))) break;
      } catch (error) {
        // Who stopped an answer knows, and the run has said so.
        const stopped = BenchtopError.is(error) && error.code === "USER_CANCELED";
        if (!stopped) reportFailure(error, terminal, false, modelOf(conversation.model));
      }
      signals.answered();
    }
  } finally {
    signals.release();
  }
  const again = conversation.resumedBy();
  if (again !== undefined) terminal.errorLine(dim(`Go on with it: \`${again}\``));
}

/** An answer that is stopped by Ctrl-C does not end the conversation, though one Ctrl-C may arrive twice. */
function listenForSignals(lines: TypedLines) {
  let answeredAt = Number.NEGATIVE_INFINITY;
  let ended = false;
  const onInterrupt = (): void => {
    if (performance.now() - answeredAt > 500) lines.leave();
  };
  const onEnd = (): void => {
    ended = true;
    process.exitCode = exitCodes.interrupted;
    lines.leave();
  };
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onEnd);
  return {
    get ended() {
      return ended;
    },
    answered: () => void (answeredAt = performance.now()),
    release() {
      process.off("SIGINT", onInterrupt);
      process.off("SIGTERM", onEnd);
    },
  };
}

/** False where the conversation is to end. */
async function obey({ terminal }: Invocation, conversation: Conversation, line: string): Promise<boolean> {
  const { dim } = terminal.errorColours;
  const [word, ref] = line.split(/\s+/);
  if (word === "/exit") return false;
  if (word === "/help") {
    for (const [what, meaning] of commands) terminal.errorLine(`  ${what.padEnd(25)}${dim(meaning)}`);
  } else if (word === "/new") {
    conversation.startAnew();
    terminal.errorLine(dim("A new conversation: the model is told nothing of before any more."));
  } else if (word === "/model" && ref === undefined) {
    terminal.errorLine(dim(`${printable(conversation.model)} is asked. \`/model PROVIDER/MODEL\` asks another.`));
  } else if (word === "/model" && ref !== undefined) {
    conversation.turnTo(ref);
    for (const greeting of await conversation.greeting()) terminal.errorLine(dim(greeting));
  } else {
    const hint = "/help lists what there is. With a space before it, it is a question.";
    terminal.errorLine(`There is no ${printable(word ?? "")}; ${hint}`);
  }
  return true;
}

const commands = [
  ["/model PROVIDER/MODEL", "ask another model from now on; `benchtop models` lists them"],
  ["/new", "begin a new conversation"],
  ["/help", "this list"],
  ["/exit, Ctrl-D", "leave"],
  ["Ctrl-C", "stop the answer that is coming; leave, where nothing was typed"],
  ["\\ at the end of a line", "go on in the next line"],
] as const;

/** Turns that share history: each is a run. */
class Conversation {
  readonly #invocation: Invocation;
  readonly #options: ChatOptions;
  readonly #agreed = new Map<string, InputOf<Operations["runs.start"]>["consent"]>();
  #model: string;
  #sessionId: string;
  #turns = 0;

  constructor(invocation: Invocation, model: string, options: ChatOptions) {
    this.#invocation = invocation;
    this.#options = options;
    this.#model = model;
    this.#sessionId = options.session ?? newId("session");
  }

  get model(): string {
    return this.#model;
  }

  turnTo(model: string): void {
    this.#model = model;
  }

  startAnew(): void {
    this.#sessionId = newId("session");
    this.#agreed.clear();
    this.#turns = 0;
  }

  /** The command that goes on with it; undefined before anything was said. */
  resumedBy(): string | undefined {
    if (this.#turns === 0) return undefined;
    return `benchtop chat ${quoted(this.#model)} --session ${this.#sessionId}`;
  }

  /** Who is asked, where, and how to leave. */
  async greeting(): Promise<readonly [string, string]> {
    const model = printable(this.#model);
    const help = "/help says what you can type.";
    if (this.#model === guide) {
      return [
        "The guide, a tiny model trained on Benchtop's own documentation, answers questions about Benchtop only.",
        `It runs on ${machineOfDaemon()}: no account, no network. It can be wrong. ${help}`,
      ];
    }
    if (isOfMachine(this.#model)) return [`${model}, which runs on ${machineOfDaemon()}.`, help];
    const scope = await (await scopesOfPrompt(this.#invocation, ""))(this.#model);
    if (scope?.required !== true) return [scope === undefined ? model : `${model}, at ${printable(scope.host)}.`, help];
    return [`${model}: what you type is sent to ${printable(scope.host)}, if you agree.`, help];
  }

  /** Shows the answer as it comes. Throws what the run ended with. */
  async ask(prompt: string): Promise<void> {
    const { instructions } = this.#options;
    this.#invocation.subject = modelOf(this.#model);
    const client = await this.#invocation.client();
    const consent = await this.#consentFor(prompt);
    const { runId } = await client.call("runs.start", {
      model: this.#model,
      sessionId: this.#sessionId,
      prompt,
      ...(instructions !== undefined && { instructions }),
      ...samplingOf(this.#options),
      ...(consent !== undefined && { consent }),
    });
    this.#turns++;
    await showRun(this.#invocation, runId, { waiting: "Waiting for the model" });
  }

  /** Asked for once for each model of a conversation: each turn sends all of what was said before. */
  async #consentFor(prompt: string) {
    const agreed = this.#agreed.get(this.#model);
    if (agreed !== undefined) return agreed;
    const consent = await consentFor(this.#invocation, this.#options.consent, {
      models: [this.#model],
      scopeOf: await scopesOfPrompt(this.#invocation, prompt),
      what: "what you type in this conversation, with what was said in it before,",
    });
    if (consent !== undefined) this.#agreed.set(this.#model, consent);
    return consent;
  }
}

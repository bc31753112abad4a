import type { Sampling } from "@benchtop/operations";
import { type Command, InvalidArgumentError, Option } from "commander";

/** Adds a subcommand with what all of ours have: `--json` and examples at the end of its help. */
export function addCommand(
  parent: Command,
  usage: string,
  description: string,
  examples: readonly string[] = [],
): Command {
  const command = parent.command(usage).description(description).option("--json", "print JSON");
  if (examples.length > 0)
    command.addHelpText("after", `\nExamples:\n${examples.map((line) => `  ${line}`).join("\n")}`);
  return command;
}

/** A command that only holds others. */
export function addGroup(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description);
}

export function collect(value: string, previous: readonly string[] = []): string[] {
  return [...previous, value];
}

export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError("A whole number is needed.");
  return value;
}

export function positiveNumber(text: string): number {
  const value = wholeNumber(text);
  if (value === 0) throw new InvalidArgumentError("A number above 0 is needed.");
  return value;
}

export function portNumber(text: string): number {
  const value = wholeNumber(text);
  if (value > 65_535) throw new InvalidArgumentError("A port is a number from 0 to 65535; 0 takes any that is free.");
  return value;
}

/** US dollars, such as `0.25`. */
export function dollars(text: string): number {
  if (!/^\d+(?:\.\d+)?$/.test(text)) throw new InvalidArgumentError("An amount in US dollars is needed, such as 0.25.");
  return Number(text);
}

/** `90s`, `10m`, `2h`, or milliseconds as `500ms`; answers milliseconds. */
export function duration(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const factors: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  const value = Math.round(Number(amount) * (factors[unit ?? ""] ?? Number.NaN));
  if (!(value > 0)) throw new InvalidArgumentError("A duration is needed, such as 90s, 10m or 2h.");
  return value;
}

/** `50GB`, `10MB/s`, `512MiB`; answers bytes. A number alone is refused: bytes are hardly ever what is meant. */
export function size(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?) ?([kMGT]i?)?B(?:\/s)?$/.exec(text) ?? [];
  const power = "kMGT".indexOf(unit?.charAt(0) ?? "") + 1;
  const value = Math.round(Number(amount) * (unit?.endsWith("i") === true ? 1024 : 1000) ** (unit ? power : 0));
  if (value > 0 && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError("A size with its unit is needed, such as 50GB, 500MB or 8GiB.");
}

/** A size, or the word that lifts the limit. */
export function sizeOr<Word extends string>(word: Word): (text: string) => number | Word {
  return (text) => (text === word ? word : size(text));
}

/** `10m`, `0s` for at once; answers seconds, or `forever`. */
export function keepAlive(text: string): number | "forever" {
  if (text === "forever") return text;
  if (text === "0s") return 0;
  const seconds = /[^m]s$|[mh]$/.test(text) ? duration(text) / 1000 : Number.NaN;
  if (Number.isInteger(seconds)) return seconds;
  throw new InvalidArgumentError("A time in whole seconds is needed, such as 30s, 10m or 2h, or `forever`.");
}

/** What an operation takes where a word lifts the limit: commander makes an empty text of a null that a parser answers. */
export function orNull(value: number | string): number | null {
  return typeof value === "number" ? value : null;
}

/** A number above 0 and up to a highest one. */
export function numberUpTo(highest: number): (text: string) => number {
  return (text) => {
    const value = /^\d+(?:\.\d+)?(?:e-?\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (value > 0 && value <= highest) return value;
    throw new InvalidArgumentError(`A number above 0 is needed, ${highest} at most.`);
  };
}

/** The same, or 0. */
export function numberFromZeroTo(highest: number): (text: string) => number {
  const above = numberUpTo(highest);
  return (text) => (/^0(?:\.0+)?$/.test(text) ? 0 : above(text));
}

/** `30d`; answers days. */
export function days(text: string): number {
  const [, amount] = /^(\d{1,5})d$/.exec(text) ?? [];
  if (!(Number(amount) > 0)) throw new InvalidArgumentError("A number of days is needed, such as 30d.");
  return Number(amount);
}

/** The same, or `never`. */
export function daysOrNever(text: string): number | "never" {
  return text === "never" ? text : days(text);
}

/** How the next token is chosen; what is left out is the model's own. */
export function addSamplingOptions(command: Command): Command {
  return command
    .option("--temperature <number>", "how freely words are chosen, from 0 to 2", numberFromZeroTo(2))
    .option("--top-p <share>", "choose among the likeliest words that make up this share, up to 1", numberUpTo(1))
    .option("--seed <number>", "the same seed gives the same answer, where the model's server keeps to it", wholeNumber)
    .option("--max-output-tokens <number>", "the longest answer", positiveNumber);
}

export interface SamplingOptions {
  readonly temperature?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly maxOutputTokens?: number;
}

/** As `runs.start` takes them. */
export function samplingOf(options: SamplingOptions): { sampling?: Sampling } {
  const { temperature, topP, seed, maxOutputTokens } = options;
  const sampling: Sampling = {
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(seed !== undefined && { seed }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
  };
  return Object.keys(sampling).length > 0 ? { sampling } : {};
}

export function consentOption(): Option {
  const meaning = "agree to send this to a model elsewhere: for this run, or until it is taken back";
  return new Option("--consent <mode>", meaning).choices(["once", "always"]);
}

export function modelOption(): Option {
  const option = new Option("--model <ref>", "the model, PROVIDER/MODEL").env("BENCHTOP_MODEL");
  return option.makeOptionMandatory();
}

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

export function consentOption(): Option {
  const meaning = "agree to send this to a model elsewhere: for this run, or until it is taken back";
  return new Option("--consent <mode>", meaning).choices(["once", "always"]);
}

export function modelOption(): Option {
  const option = new Option("--model <ref>", "the model, PROVIDER/MODEL").env("BENCHTOP_MODEL");
  return option.makeOptionMandatory();
}

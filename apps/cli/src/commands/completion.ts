import { type Command, Argument } from "commander";
import type { Invocation } from "../invocation.ts";

export function addCompletionCommand(program: Command, invocation: Invocation): void {
  program
    .command("completion")
    .description("Print a script that completes commands and options in your shell.")
    .addArgument(new Argument("<shell>", "your shell").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      `
Examples:
  source <(benchtop completion bash)
  benchtop completion fish > ~/.config/fish/completions/benchtop.fish`,
    )
    .action((shell: "bash" | "zsh" | "fish") => invocation.terminal.line(scripts[shell](wordsOf(program))));
}

/** What can follow each command: `""` is the program itself, `"draft publish"` one below it. */
function wordsOf(program: Command): Map<string, readonly string[]> {
  const words = new Map<string, readonly string[]>();
  const visit = (command: Command, path: string): void => {
    const below = command.commands.map((child) => child.name());
    const options = command.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [long]));
    const everywhere = path === "" ? [] : ["--workspace"];
    words.set(path, [...below, ...options, ...everywhere, "--help"]);
    for (const child of command.commands) visit(child, path === "" ? child.name() : `${path} ${child.name()}`);
  };
  visit(program, "");
  return words;
}

type Words = ReadonlyMap<string, readonly string[]>;

const scripts: Record<"bash" | "zsh" | "fish", (words: Words) => string> = {
  bash: (words) => bashScript(words),
  zsh: (words) => `autoload -U +X bashcompinit && bashcompinit\n${bashScript(words)}`,
  fish: (words) =>
    [...words]
      .flatMap(([path, next]) =>
        next.map((word) => {
          const condition =
            path === ""
              ? "__fish_use_subcommand"
              : path
                  .split(" ")
                  .map((part) => `__fish_seen_subcommand_from ${part}`)
                  .join("; and ");
          const what = word.startsWith("--") ? `-l ${word.slice(2)}` : `-f -a ${word}`;
          return `complete -c benchtop -n '${condition}' ${what}`;
        }),
      )
      .join("\n"),
};

function bashScript(words: Words): string {
  const cases = [...words].map(([path, next]) => `    "${path}") words="${next.join(" ")}" ;;`);
  return `_benchtop() {
  local path="" word words=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
${[...words.keys()]
  .filter((path) => path !== "")
  .map((path) => `      "${path.includes(" ") ? path : ` ${path}`}") path="${path}" ;;`)
  .join("\n")}
    esac
  done
  case "$path" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  [ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _benchtop benchtop`;
}

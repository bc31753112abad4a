import { BenchtopError } from "@benchtop/protocol";

/** Whether a text matches, in time linear in its length whatever the pattern is. */
export type Pattern = (text: string) => boolean;

/**
 * A regular expression without what makes matching slow: alternatives are followed side by side, never tried one after the
 * other, so no pattern and no text can make it backtrack.
 *
 * Understands literals, `.` (any character, line ends too), `[a-z]`, `\d \w \s \b` and their opposites, groups, `|`, `^`, `$`,
 * `* + ? {2,5}` and `\u{1F600}`. Matches anywhere unless anchored, by code points. Throws `VALIDATION_FAILED` for what it does
 * not understand (back references, look-around) and for patterns of more than 1,000 states.
 */
export function regularExpression(source: string, options: { readonly ignoreCase?: boolean } = {}): Pattern {
  const program = compile(new Parser(source, options.ignoreCase ?? false).parse());
  return (text) => run(program, options.ignoreCase === true ? text.toLowerCase() : text);
}

/** `*` is anything but `/`, `**` anything, `?` one character, `{a,b}` either; the whole text has to match. */
export function glob(source: string, options: { readonly ignoreCase?: boolean } = {}): Pattern {
  const pattern = source.replaceAll(/\*\*\/|\*\*|\*|\?|\{[^{}]*\}|[\\^$.|+()[\]{}]/g, (token) => {
    if (token === "**/") return "(?:.*/)?";
    if (token === "**") return ".*";
    if (token === "*") return "[^/]*";
    if (token === "?") return "[^/]";
    if (!token.startsWith("{") || token.length === 1) return `\\${token}`;
    return `(?:${token.slice(1, -1).split(",").map(literally).join("|")})`;
  });
  return regularExpression(`^(?:${pattern})$`, options);
}

function literally(text: string): string {
  return text.replaceAll(/[\\^$.|?*+()[\]{}]/g, String.raw`\$&`);
}

type Node =
  | { readonly type: "character"; readonly accepts: (codePoint: number) => boolean }
  | { readonly type: "assertion"; readonly holds: (text: string, at: number) => boolean }
  | { readonly type: "sequence" | "choice"; readonly parts: readonly Node[] }
  | { readonly type: "repetition"; readonly part: Node; readonly least: number; readonly most: number };

const maxStates = 1000;
const maxDepth = 50;

class Parser {
  readonly #source: readonly string[];
  readonly #ignoreCase: boolean;
  #at = 0;
  #depth = 0;

  constructor(source: string, ignoreCase: boolean) {
    this.#source = Array.from(source);
    this.#ignoreCase = ignoreCase;
  }

  parse(): Node {
    const node = this.#choice();
    if (this.#at < this.#source.length) throw this.#unclear("a closing parenthesis without an opening one");
    return node;
  }

  #choice(): Node {
    this.#depth += 1;
    if (this.#depth > maxDepth) throw this.#unclear("groups nested too deep");
    const parts = [this.#sequence()];
    while (this.#take("|")) parts.push(this.#sequence());
    this.#depth -= 1;
    return parts.length === 1 && parts[0] ? parts[0] : { type: "choice", parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#source.length && this.#next !== "|" && this.#next !== ")") parts.push(this.#repeated());
    return { type: "sequence", parts };
  }

  #repeated(): Node {
    let part = this.#atom();
    for (;;) {
      const bounds = this.#bounds();
      if (!bounds) return part;
      if (part.type === "repetition" || part.type === "assertion") throw this.#unclear("a repetition of nothing");
      part = { type: "repetition", part, ...bounds };
      // Whether as many or as few as possible changes what is captured, not whether it matches.
      this.#take("?");
    }
  }

  #bounds(): { least: number; most: number } | undefined {
    if (this.#take("*")) return { least: 0, most: Number.POSITIVE_INFINITY };
    if (this.#take("+")) return { least: 1, most: Number.POSITIVE_INFINITY };
    if (this.#take("?")) return { least: 0, most: 1 };
    if (this.#next !== "{") return undefined;
    const match = /^\{(\d{1,4})(?:(,)(\d{1,4})?)?\}/.exec(this.#source.slice(this.#at, this.#at + 12).join(""));
    if (!match) throw this.#unclear("a brace that is no repetition; write \\{");
    this.#at += match[0].length;
    const least = Number(match[1]);
    const most = match[2] === undefined ? least : Number(match[3] ?? Number.POSITIVE_INFINITY);
    if (most < least) throw this.#unclear("a repetition that ends before it begins");
    return { least, most };
  }

  #atom(): Node {
    const character = this.#source[this.#at];
    this.#at += 1;
    switch (character) {
      case "(":
        return this.#group();
      case "[":
        return this.#characters();
      case "\\":
        return this.#escape();
      case ".":
        return { type: "character", accepts: () => true };
      case "^":
        return { type: "assertion", holds: (_, at) => at === 0 };
      case "$":
        return { type: "assertion", holds: (text, at) => at === text.length };
      case "*":
      case "+":
      case "?":
      case "{":
        throw this.#unclear("a repetition of nothing");
      default:
        return this.#literal(character ?? "");
    }
  }

  #group(): Node {
    if (this.#take("?") && !this.#take(":")) throw this.#unclear("a group of a kind that is not supported");
    const inside = this.#choice();
    if (!this.#take(")")) throw this.#unclear("a group that is not closed");
    return { type: "sequence", parts: [inside] };
  }

  #characters(): Node {
    const negated = this.#take("^");
    const accepted: ((codePoint: number) => boolean)[] = [];
    while (!this.#take("]")) {
      if (this.#at >= this.#source.length) throw this.#unclear("a [ that is not closed");
      const from = this.#member();
      if (typeof from === "function") {
        accepted.push(from);
        continue;
      }
      const isRange = this.#next === "-" && this.#source[this.#at + 1] !== "]" && this.#at + 1 < this.#source.length;
      if (isRange) this.#at += 1;
      const to = isRange ? this.#member() : from;
      if (typeof to === "function" || to < from) throw this.#unclear("a range that ends before it begins");
      accepted.push(this.#range(from, to));
    }
    const accepts = (codePoint: number) => accepted.some((accept) => accept(codePoint)) !== negated;
    return { type: "character", accepts };
  }

  #member(): number | ((codePoint: number) => boolean) {
    const character = this.#source[this.#at] ?? "";
    this.#at += 1;
    return character === "\\" ? this.#escaped() : (character.codePointAt(0) ?? 0);
  }

  #escape(): Node {
    if (this.#take("b")) return { type: "assertion", holds: isWordBoundary };
    if (this.#take("B")) return { type: "assertion", holds: (text, at) => !isWordBoundary(text, at) };
    const escaped = this.#escaped();
    if (typeof escaped === "function") return { type: "character", accepts: escaped };
    return { type: "character", accepts: this.#range(escaped, escaped) };
  }

  #escaped(): number | ((codePoint: number) => boolean) {
    const character = this.#source[this.#at];
    this.#at += 1;
    if (character === undefined) throw this.#unclear("a backslash at the end");
    const named = classes[character] ?? controls[character];
    if (named !== undefined) return named;
    if (character === "u" || character === "x") return this.#codePoint(character);
    if (/[A-Za-z0-9]/.test(character)) throw this.#unclear(`\\${character}`);
    return character.codePointAt(0) ?? 0;
  }

  #codePoint(kind: "u" | "x"): number {
    const rest = this.#source.slice(this.#at, this.#at + 10).join("");
    const match = (kind === "x" ? /^([0-9a-f]{2})/i : /^(?:([0-9a-f]{4})|\{([0-9a-f]{1,6})\})/i).exec(rest);
    const value = Number.parseInt(match?.[1] ?? match?.[2] ?? "", 16);
    if (!match || value > 0x10ffff) throw this.#unclear(`\\${kind} without a code point`);
    this.#at += match[0].length;
    return value;
  }

  #literal(character: string): Node {
    const codePoint = character.codePointAt(0) ?? 0;
    return { type: "character", accepts: this.#range(codePoint, codePoint) };
  }

  /** Texts are compared in lower case then, so that a range holds whichever case it was written in. */
  #range(from: number, to: number): (codePoint: number) => boolean {
    const inside = (codePoint: number) => codePoint >= from && codePoint <= to;
    if (!this.#ignoreCase) return inside;
    return (codePoint) => {
      if (inside(codePoint)) return true;
      const upper = String.fromCodePoint(codePoint).toUpperCase();
      return Array.from(upper).length === 1 && inside(upper.codePointAt(0) ?? -1);
    };
  }

  get #next(): string | undefined {
    return this.#source[this.#at];
  }

  #take(character: string): boolean {
    if (this.#next !== character) return false;
    this.#at += 1;
    return true;
  }

  #unclear(what: string): BenchtopError {
    return new BenchtopError("VALIDATION_FAILED", `The pattern is not understood at character ${this.#at}: ${what}.`, {
      phase: "settings",
      detail: { fields: ["pattern"] },
    });
  }
}

const isDigit = (codePoint: number) => codePoint >= 48 && codePoint <= 57;
const isWord = (codePoint: number) =>
  isDigit(codePoint) ||
  codePoint === 95 ||
  (codePoint >= 65 && codePoint <= 90) ||
  (codePoint >= 97 && codePoint <= 122);
const isSpace = (codePoint: number) => /\s/.test(String.fromCodePoint(codePoint));

const classes: Readonly<Record<string, (codePoint: number) => boolean>> = {
  d: isDigit,
  D: (codePoint) => !isDigit(codePoint),
  w: isWord,
  W: (codePoint) => !isWord(codePoint),
  s: isSpace,
  S: (codePoint) => !isSpace(codePoint),
};
const controls: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, 0: 0 };

function isWordBoundary(text: string, at: number): boolean {
  const left = at > 0 && isWord(text.charCodeAt(at - 1));
  return left !== (at < text.length && isWord(text.charCodeAt(at)));
}

/** One state: `next` holds where matching goes on, both at once where there are two. */
type State =
  | { readonly type: "character"; readonly accepts: (codePoint: number) => boolean; next: number }
  | { readonly type: "assertion"; readonly holds: (text: string, at: number) => boolean; next: number }
  | { readonly type: "fork"; readonly next: number[] }
  | { readonly type: "match" };

interface Program {
  readonly states: readonly State[];
  readonly start: number;
}

/** Thompson's construction, from the end to the beginning: each node is made knowing what follows it. */
function compile(root: Node): Program {
  const states: State[] = [];
  let nodes = 0;
  const add = (state: State): number => {
    if (states.length >= maxStates) throw tooLarge();
    return states.push(state) - 1;
  };
  const build = (node: Node, next: number): number => {
    // Repetitions of nothing make no states, but take their time.
    nodes += 1;
    if (nodes > 20 * maxStates) throw tooLarge();
    switch (node.type) {
      case "character":
        return add({ type: "character", accepts: node.accepts, next });
      case "assertion":
        return add({ type: "assertion", holds: node.holds, next });
      case "sequence":
        return node.parts.reduceRight((following, part) => build(part, following), next);
      case "choice":
        return add({ type: "fork", next: node.parts.map((part) => build(part, next)) });
      default:
        return repetition(node, next);
    }
  };
  const repetition = ({ part, least, most }: Extract<Node, { type: "repetition" }>, next: number): number => {
    let following = next;
    if (most === Number.POSITIVE_INFINITY) {
      const loop: number[] = [next];
      following = add({ type: "fork", next: loop });
      loop.push(build(part, following));
    } else {
      for (let count = least; count < most; count += 1)
        following = add({ type: "fork", next: [next, build(part, following)] });
    }
    for (let count = 0; count < least; count += 1) following = build(part, following);
    return following;
  };
  const end = add({ type: "match" });
  const start = build(root, end);
  return { states, start };
}

function tooLarge(): BenchtopError {
  return new BenchtopError("VALIDATION_FAILED", `The pattern has more than ${maxStates} states.`, {
    phase: "settings",
    detail: { fields: ["pattern"], limit: maxStates },
  });
}

/** Every state that the text so far can have led to, one character at a time. */
function run({ states, start }: Program, text: string): boolean {
  const entered = new Int32Array(states.length).fill(-1);
  let current: number[] = [];
  let following: number[] = [];
  const enter = (index: number, at: number, into: number[]): boolean => {
    const waiting = [index];
    for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
      if (entered[state] === at) continue;
      entered[state] = at;
      const reached = states[state];
      if (reached?.type === "match") return true;
      if (reached?.type === "fork") waiting.push(...reached.next);
      else if (reached?.type === "assertion") {
        if (reached.holds(text, at)) waiting.push(reached.next);
      } else into.push(state);
    }
    return false;
  };
  for (let at = 0; ;) {
    if (enter(start, at, current)) return true;
    const codePoint = text.codePointAt(at);
    if (codePoint === undefined) return false;
    at += codePoint > 0xffff ? 2 : 1;
    for (const index of current) {
      const state = states[index];
      if (state?.type === "character" && state.accepts(codePoint) && enter(state.next, at, following)) return true;
    }
    [current, following] = [following, current];
    following.length = 0;
  }
}

import { parseArgs } from "node:util";

export interface Options {
  /** A bounded part of everything, chosen evenly. */
  readonly ci: boolean;
  readonly seed: number;
  /** Only attempts whose name holds this: `:full`, `:then:`, `:power`. */
  readonly match: string | undefined;
  /** At most so many enumerated attempts, chosen evenly. */
  readonly limit: number | undefined;
  /** How many processes at a time. */
  readonly jobs: number;
  /** Kills at random instants. */
  readonly random: number;
  /** Only attempts whose name begins with this: `publish`, `publish:37:after`. */
  readonly only: string | undefined;
  /** Keep the folders of failed attempts. */
  readonly keep: boolean;
  readonly verbose: boolean;
}

const usage = `node chaos/run.ts [options]

  Kills and fails Benchtop's processes at every durable call, and checks what start-up makes of it.

  --ci           a bounded part of about 4 minutes, chosen evenly over all boundaries
  --only NAME    only attempts whose name begins so: publish, publish:37:after
  --match TEXT   only attempts whose name holds this, for example :full, :EIO, :power, :then:
  --limit N      at most so many enumerated attempts, chosen evenly
  --random N     kills at random instants (400; 40 with --ci)
  --seed N       repeats the random instants of an earlier run
  --jobs N       processes at a time (2)
  --keep         keep the folders of failed attempts and print where they are
  --verbose      print every attempt
`;

/** Undefined when help was asked for and printed. */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      ci: { type: "boolean", default: false },
      only: { type: "string" },
      match: { type: "string" },
      limit: { type: "string" },
      random: { type: "string" },
      seed: { type: "string" },
      jobs: { type: "string", default: "2" },
      keep: { type: "boolean", default: false },
      verbose: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return undefined;
  }
  return {
    ci: values.ci,
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed),
    jobs: Math.max(1, Number(values.jobs)),
    random: values.random === undefined ? (values.ci ? 40 : 400) : Number(values.random),
    only: values.only,
    match: values.match,
    limit: values.limit === undefined ? undefined : Number(values.limit),
    keep: values.keep,
    verbose: values.verbose,
  };
}

/** mulberry32: small, seeded, good enough to spread instants. https://github.com/bryc/code/blob/master/jshash/PRNGs.md */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` of `items`, evenly spread, first and last included; all of them when there are no more than that. */
export function evenly<Item>(items: readonly Item[], count: number): Item[] {
  if (items.length <= count) return [...items];
  if (count <= 1) return items.slice(0, Math.max(0, count));
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))] as Item);
}

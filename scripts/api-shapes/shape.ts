import { isDeepStrictEqual } from "node:util";
import { jsonSchemasOf, type JsonSchema, type Operation } from "../../packages/operations/src/index.ts";

/** What callers of an operation rely on, whatever the transport. */
export interface Shape {
  readonly rpc: string;
  readonly method: string;
  readonly path: string;
  readonly permission: string;
  readonly status: number;
  readonly transfer: string | null;
  readonly errors: readonly string[];
  readonly input: JsonSchema;
  readonly output: JsonSchema;
}

/** By operation id, in the order of the ids. */
export type Shapes = Readonly<Record<string, Shape>>;

export function shapesOf(operations: readonly Operation[]): Shapes {
  const sorted = operations.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return Object.fromEntries(
    sorted.map((operation) => {
      const { id, rpc, method, path, permission, status = 200, transfer = null, errors } = operation;
      const shape = { rpc, method, path, permission, status, transfer, errors: errors.toSorted() };
      return [id, { ...shape, ...jsonSchemasOf(operation) }];
    }),
  );
}

export interface Change {
  /** `breaking`: a program that was right before may be wrong now. */
  readonly kind: "breaking" | "additive";
  readonly operation: string;
  readonly what: string;
}

/**
 * What changed for callers. Something taken away or narrowed is breaking; something new, or taken more generously, is
 * additive. Callers are told to expect new fields, new values of enumerations and new types of events in answers.
 */
export function changesBetween(before: Shapes, after: Shapes): Change[] {
  const ids = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
  return ids.flatMap((operation): Change[] => {
    const [old, now] = [before[operation], after[operation]];
    if (now === undefined) return [{ kind: "breaking", operation, what: "is gone" }];
    if (old === undefined) return [{ kind: "additive", operation, what: "is new" }];
    return changesOfShape(old, now).map((change) => ({ ...change, operation }));
  });
}

type Finding = Omit<Change, "operation">;

const facts = ["rpc", "method", "path", "permission", "status", "transfer"] as const;

function changesOfShape(old: Shape, now: Shape): Finding[] {
  const turned = facts.filter((fact) => old[fact] !== now[fact]);
  return [
    ...turned.map((fact) => breaking(`${fact}: ${String(old[fact])} became ${String(now[fact])}`)),
    ...without(now.errors, old.errors).map((code) => additive(`may answer ${code}`)),
    ...without(old.errors, now.errors).map((code) => additive(`answers ${code} no more`)),
    ...new SchemaComparison("input", old.input, now.input).findings(),
    ...new SchemaComparison("output", old.output, now.output).findings(),
  ];
}

function without(codes: readonly string[], others: readonly string[]): readonly string[] {
  return codes.filter((code) => !others.includes(code));
}

/** Two JSON Schemas of the subset that our definitions convert to. Anything else that differs counts as breaking. */
class SchemaComparison {
  readonly #side: "input" | "output";
  readonly #old: JsonSchema;
  readonly #now: JsonSchema;
  readonly #seen = new Set<string>();
  readonly #found: Finding[] = [];

  constructor(side: "input" | "output", old: JsonSchema, now: JsonSchema) {
    this.#side = side;
    this.#old = old;
    this.#now = now;
  }

  findings(): readonly Finding[] {
    this.#compare(this.#old, this.#now, this.#side);
    return this.#found;
  }

  #compare(givenOld: JsonSchema, givenNow: JsonSchema, at: string): void {
    // What contains itself is compared once.
    const pair = JSON.stringify([givenOld, givenNow]);
    if (this.#seen.has(pair)) return;
    this.#seen.add(pair);
    const old = resolve(givenOld, this.#old);
    const now = resolve(givenNow, this.#now);
    this.#compareDefault(old, now, at);
    if (membersOf(old).length > 1 || membersOf(now).length > 1) return this.#compareUnion(old, now, at);
    if (!this.#compareTypes(old, now, at)) return;
    this.#compareValues(old, now, at);
    this.#compareProperties(old, now, at);
    this.#compareLimits(old, now, at);
    this.#compareBelow(old, now, at);
    this.#compareRest(old, now, at);
  }

  #compareDefault(old: JsonSchema, now: JsonSchema, at: string): void {
    if (this.#side === "output" || isDeepStrictEqual(old["default"], now["default"])) return;
    const what = `${at}: left out, it meant ${show(old["default"])} and means ${show(now["default"])}`;
    this.#found.push(old["default"] === undefined ? additive(what) : breaking(what));
  }

  #compareUnion(old: JsonSchema, now: JsonSchema, at: string): void {
    const left = [...membersOf(now)].map((member) => resolve(member, this.#now));
    for (const given of membersOf(old)) {
      const member = resolve(given, this.#old);
      const index = bestMatch(member, left);
      const match = index < 0 ? undefined : left.splice(index, 1)[0];
      if (match !== undefined) this.#compare(member, match, `${at}${labelOf(member)}`);
      else this.#narrowed(`${at}: ${show(member)} is no choice any more`);
    }
    for (const member of left) {
      const what = `${at}: ${show(member)} is a choice now`;
      const expected = this.#side === "input" || discriminatorOf(member) !== "";
      this.#found.push(expected ? additive(what) : breaking(what));
    }
  }

  /** False when nothing below can be compared. */
  #compareTypes(old: JsonSchema, now: JsonSchema, at: string): boolean {
    const [before, after] = [typesOf(old), typesOf(now)];
    const lost = before.filter((type) => !covers(after, type));
    const gained = after.filter((type) => !covers(before, type));
    if (lost.length > 0) this.#narrowed(`${at}: ${lost.join(", ")} is no type of it any more`);
    if (gained.length > 0) this.#widened(`${at}: ${gained.join(", ")} is a type of it now`);
    return lost.length === 0 && gained.length === 0;
  }

  #compareValues(old: JsonSchema, now: JsonSchema, at: string): void {
    const [before, after] = [valuesOf(old), valuesOf(now)];
    if (before === undefined && after === undefined) return;
    if (before === undefined) return this.#narrowed(`${at}: ${show(after)} is all it can be now`);
    if (after === undefined) return this.#widened(`${at}: it can be more than ${show(before)} now`);
    const lost = before.filter((value) => !after.includes(value));
    const gained = after.filter((value) => !before.includes(value));
    if (lost.length === before.length) {
      this.#found.push(breaking(`${at}: ${show(before)} became ${show(after)}`));
      return;
    }
    if (lost.length > 0) this.#narrowed(`${at}: ${show(lost)} is no value of it any more`);
    if (gained.length > 0) this.#found.push(additive(`${at}: ${show(gained)} is a value of it now`));
  }

  #compareProperties(old: JsonSchema, now: JsonSchema, at: string): void {
    const [before, after] = [propertiesOf(old), propertiesOf(now)];
    const [neededBefore, neededNow] = [requiredOf(old), requiredOf(now)];
    for (const [name, schema] of Object.entries(before)) {
      const match = after[name];
      if (match === undefined) this.#found.push(breaking(`${at}.${name} is gone`));
      else this.#compare(schema, match, `${at}.${name}`);
    }
    for (const name of Object.keys(after)) {
      const isNew = before[name] === undefined;
      const needed = neededNow.includes(name);
      if (isNew) {
        const isDemand = needed && this.#side === "input";
        this.#found.push(isDemand ? breaking(`${at}.${name} is new and required`) : additive(`${at}.${name} is new`));
      } else if (needed && !neededBefore.includes(name)) this.#narrowed(`${at}.${name} is required now`);
      else if (!needed && neededBefore.includes(name)) this.#widened(`${at}.${name} can be absent now`);
    }
  }

  /** Limits of answers are no promise to rely on; those of questions are. */
  #compareLimits(old: JsonSchema, now: JsonSchema, at: string): void {
    for (const [names, tighter] of limits) {
      for (const name of names) {
        const [before, after] = [old[name], now[name]];
        if (isDeepStrictEqual(before, after)) continue;
        const isTighter = after !== undefined && (before === undefined || tighter(Number(after), Number(before)));
        const what = `${at}: ${name} was ${show(before)} and is ${show(after)}`;
        this.#found.push(isTighter && this.#side === "input" ? breaking(what) : additive(what));
      }
    }
  }

  #compareBelow(old: JsonSchema, now: JsonSchema, at: string): void {
    for (const keyword of ["items", "additionalProperties", "propertyNames"]) {
      const [before, after] = [old[keyword], now[keyword]];
      if (isSchema(before) && isSchema(after)) this.#compare(before, after, `${at}[${keyword}]`);
      else if (keyword === "additionalProperties" && !isSchema(before) && !isSchema(after)) {
        // Whether an object says that there is nothing else in it.
        if (before !== false && after === false) this.#narrowed(`${at}: other fields are refused now`);
        else if (before === false && after !== false)
          this.#found.push(additive(`${at}: other fields are possible now`));
      } else if (!isDeepStrictEqual(before, after)) this.#found.push(breaking(`${at}: ${keyword} is another`));
    }
  }

  #compareRest(old: JsonSchema, now: JsonSchema, at: string): void {
    for (const name of new Set([...Object.keys(old), ...Object.keys(now)])) {
      if (compared.has(name) || isDeepStrictEqual(old[name], now[name])) continue;
      const what = `${at}: ${name} was ${show(old[name])} and is ${show(now[name])}`;
      const isLooser = now[name] === undefined && this.#side === "input" && name !== "prefixItems";
      this.#found.push(isLooser ? additive(what) : breaking(what));
    }
  }

  /** Less than before: who asked for it, or sent it, is let down; who reads answers is not. */
  #narrowed(what: string): void {
    this.#found.push(this.#side === "input" ? breaking(what) : additive(what));
  }

  /** More than before: who sends is free to; who reads meets what they did not know. */
  #widened(what: string): void {
    this.#found.push(this.#side === "input" ? additive(what) : breaking(what));
  }
}

const limits: readonly (readonly [readonly string[], (now: number, before: number) => boolean])[] = [
  [["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"], (now, before) => now > before],
  [["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"], (now, before) => now < before],
];

/** Keywords that are compared elsewhere, and those that promise nothing. */
const compared = new Set(
  "type enum const default anyOf oneOf properties required $ref $defs items additionalProperties propertyNames"
    .concat(" title description examples")
    .split(" ")
    .concat(limits.flatMap(([names]) => names)),
);

function breaking(what: string): Finding {
  return { kind: "breaking", what };
}

function additive(what: string): Finding {
  return { kind: "additive", what };
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function resolve(schema: JsonSchema, root: JsonSchema): JsonSchema {
  const reference = schema["$ref"];
  if (typeof reference !== "string") return schema;
  const steps = reference.replace(/^#\/?/, "").split("/").filter(Boolean);
  let target: unknown = root;
  for (const step of steps) target = isSchema(target) ? target[step] : undefined;
  if (!isSchema(target)) throw new Error(`${reference} leads nowhere`);
  return resolve(target, root);
}

function membersOf(schema: JsonSchema): readonly JsonSchema[] {
  const members = schema["anyOf"] ?? schema["oneOf"];
  return Array.isArray(members) ? members.filter(isSchema) : [schema];
}

/** The member that stands for the same thing: equal, of the same constants, or of the same type. */
function bestMatch(member: JsonSchema, among: readonly JsonSchema[]): number {
  const equal = among.findIndex((other) => isDeepStrictEqual(member, other));
  if (equal >= 0) return equal;
  const constants = discriminatorOf(member);
  return among.findIndex((other) =>
    constants === ""
      ? discriminatorOf(other) === "" && typesOf(member).some((type) => covers(typesOf(other), type))
      : discriminatorOf(other) === constants,
  );
}

/** Its fields of one value each: what a reader tells the members of a union by. */
function discriminatorOf(schema: JsonSchema): string {
  const constants = Object.entries(propertiesOf(schema)).filter(([, { const: value }]) => value !== undefined);
  return constants.map(([name, { const: value }]) => `${name}=${String(value)}`).join(",");
}

function labelOf(schema: JsonSchema): string {
  const constants = discriminatorOf(schema);
  return constants === "" ? "" : `(${constants})`;
}

/** No type means any. */
function typesOf(schema: JsonSchema): readonly string[] {
  const { type } = schema;
  return Array.isArray(type) ? type.map(String) : [typeof type === "string" ? type : "any"];
}

function covers(types: readonly string[], type: string): boolean {
  return types.includes(type) || types.includes("any") || (type === "integer" && types.includes("number"));
}

function valuesOf(schema: JsonSchema): readonly unknown[] | undefined {
  if (Array.isArray(schema["enum"])) return schema["enum"];
  return "const" in schema ? [schema["const"]] : undefined;
}

function propertiesOf(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  const { properties } = schema;
  return isSchema(properties) ? (properties as Readonly<Record<string, JsonSchema>>) : {};
}

function requiredOf(schema: JsonSchema): readonly unknown[] {
  return Array.isArray(schema["required"]) ? schema["required"] : [];
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

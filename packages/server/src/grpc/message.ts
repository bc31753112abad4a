/** The protobuf side of a zod schema: what the `.proto` files are printed from and what values are converted by. */
export interface Message {
  /** Below the package, with the messages it is nested in: `RunsStartRequest.Attachment`. */
  readonly name: string;
  readonly fields: readonly Field[];
  /** A `oneof`: the variants of a union that one field tells apart, or the parts of a file that is sent. */
  readonly choice?: Choice;
  /** Fields that the schema does not name but lets through, as one `google.protobuf.Struct`. */
  readonly rest?: Field;
}

export interface Field {
  /** The name in TypeScript and REST. */
  readonly key: string;
  /** The name in proto. */
  readonly name: string;
  readonly shape: Shape;
  /** Whether proto must tell absent from zero. */
  readonly optional: boolean;
  /** Whether the schema lets it be absent: an empty list or map is then one that is left out. */
  readonly mayBeAbsent?: boolean;
  /** What an absent field is here. */
  readonly absent: null | undefined;
  /** A second field that says what absence cannot: `null`, or a list that is empty rather than left to its default. */
  readonly beside?: { readonly name: string; readonly value: null | readonly [] };
}

export interface Choice {
  readonly name: "variant" | "part";
  /** The field that names the variant in TypeScript; a `string` in proto, too, so that new variants can be told by it. */
  readonly discriminator?: string;
  readonly variants: readonly Variant[];
}

export interface Variant {
  /** The discriminator's value. */
  readonly literal: string;
  readonly name: string;
  /** Absent for raw bytes. */
  readonly message?: Message;
}

export type Scalar = "string" | "bool" | "int64" | "double";

export type Shape =
  | { readonly kind: "scalar"; readonly scalar: Scalar; readonly values?: readonly string[] }
  /** Free-form JSON: `google.protobuf.Value`. */
  | { readonly kind: "json" }
  /** A free-form JSON object: `google.protobuf.Struct`. */
  | { readonly kind: "struct" }
  | { readonly kind: "message"; readonly message: Message }
  | { readonly kind: "list"; readonly element: Shape }
  | { readonly kind: "map"; readonly value: Shape };

/** `runId` and `too-large` as proto writes names: `run_id`, `too_large`. */
export function snakeCase(name: string): string {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll(/[^A-Za-z0-9]+/g, "_")
    .toLowerCase();
}

/** `runId` and `too-large` as proto writes names of messages: `RunId`, `TooLarge`. */
export function pascalCase(name: string): string {
  return snakeCase(name)
    .split("_")
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}

export * from "./errors.ts";
export * from "./evals.ts";
export * from "./events.ts";
export * from "./identifiers.ts";
export * from "./messages.ts";
export type * from "./ports.ts";
export * from "./replay-token.ts";

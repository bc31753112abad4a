import { contextItemOperations } from "./context-items.ts";
import { conversationOperations } from "./conversations.ts";
import { draftOperations } from "./draft.ts";
import { evalOperations } from "./evals.ts";
import { failureOperations } from "./failures.ts";
import { identityOperations } from "./identity.ts";
import { keyOperations } from "./keys.ts";
import { localModelOperations } from "./local-models.ts";
import { memoryOperations } from "./memory.ts";
import { providerOperations } from "./providers.ts";
import { retentionOperations } from "./retention.ts";
import { runOperations } from "./runs.ts";
import { systemOperations } from "./system.ts";
import { workbenchOperations } from "./workbenches.ts";
import { workshopOperations } from "./workshop.ts";

/** Every operation there is, by id. */
export const operations = {
  ...systemOperations,
  ...identityOperations,
  ...keyOperations,
  ...providerOperations,
  ...localModelOperations,
  ...runOperations,
  ...conversationOperations,
  ...retentionOperations,
  ...workbenchOperations,
  ...draftOperations,
  ...workshopOperations,
  ...contextItemOperations,
  ...memoryOperations,
  ...evalOperations,
  ...failureOperations,
} as const;

export type Operations = typeof operations;
export type OperationId = keyof Operations;

export * from "./casing.ts";
export * from "./define.ts";
export * from "./context-items.ts";
export * from "./conversations.ts";
export * from "./document-diff.ts";
export * from "./draft.ts";
export * from "./evals.ts";
export * from "./failures.ts";
export * from "./identity.ts";
export * from "./keys.ts";
export * from "./json-schema.ts";
export * from "./local-models.ts";
export * from "./memory.ts";
export * from "./pagination.ts";
export * from "./permissions.ts";
export * from "./providers.ts";
export * from "./references.ts";
export * from "./retention.ts";
export * from "./review-warning.ts";
export * from "./runs.ts";
export * from "./system.ts";
export * from "./version.ts";
export * from "./workbenches.ts";
export * from "./workshop.ts";

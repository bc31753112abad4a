import { operations } from "@benchtop/operations";
import type { Handlers } from "../api/handler.ts";
import { contextItemHandlers } from "./context-items.ts";
import { conversationHandlers } from "./conversations.ts";
import { draftHandlers } from "./draft.ts";
import { evalHandlers } from "./evals.ts";
import { failureHandlers } from "./failures.ts";
import { identityHandlers } from "./identity.ts";
import { localModelHandlers } from "./local-models.ts";
import { memoryHandlers } from "./memory.ts";
import { providerHandlers } from "./providers.ts";
import { retentionHandlers } from "./retention.ts";
import { runHandlers } from "./runs.ts";
import type { Services } from "./services.ts";
import { systemHandlers } from "./system.ts";
import { workbenchHandlers } from "./workbenches.ts";
import { workshopHandlers } from "./workshop.ts";

/** Every operation's one handler. The compiler finds a missing one; so does the start of a daemon that was built wrongly. */
export function bindHandlers(services: Services): Handlers {
  const handlers: Handlers = {
    ...systemHandlers(services),
    ...identityHandlers(services),
    ...providerHandlers(services),
    ...localModelHandlers(services),
    ...runHandlers(services),
    ...conversationHandlers(services),
    ...retentionHandlers(services),
    ...workbenchHandlers(services),
    ...draftHandlers(services),
    ...workshopHandlers(services),
    ...contextItemHandlers(services),
    ...memoryHandlers(services),
    ...evalHandlers(services),
    ...failureHandlers(services),
  };
  for (const id of Object.keys(operations)) {
    if (!Object.hasOwn(handlers, id)) throw new Error(`The operation ${id} has no handler.`);
  }
  for (const id of Object.keys(handlers)) {
    if (!Object.hasOwn(operations, id)) throw new Error(`There is a handler for ${id}, which is no operation.`);
  }
  return handlers;
}

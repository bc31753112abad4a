import type { contextItemOperations } from "@benchtop/operations";
import type { HandlersOf } from "../api/handler.ts";
import type { Services } from "./services.ts";

export function contextItemHandlers({ workbenches }: Services): HandlersOf<typeof contextItemOperations> {
  return {
    "contextItems.list": (input) => workbenches.contextItems.list(input),
    "contextItems.put": (input) => workbenches.contextItems.put(input),
    "contextItems.remove": (input) => workbenches.contextItems.remove(input),
  };
}

import type { memoryOperations } from "@benchtop/operations";
import type { HandlersOf } from "../api/handler.ts";
import type { Services } from "./services.ts";

export function memoryHandlers({ workbenches }: Services): HandlersOf<typeof memoryOperations> {
  const { memory } = workbenches;
  return {
    "memory.set": (input) => memory.set(input),
    "memory.list": (input) => memory.list(input),
    "memory.forget": (input) => memory.forget(input),
    "memory.clear": (input) => memory.clear(input),
  };
}

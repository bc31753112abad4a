import { dirname, join } from "node:path";

/** Beside the home, so that the shim leaves it alone and a power cut does not take it back: the world outside. */
export function effectsFile(home: string): string {
  return join(dirname(home), "effects");
}

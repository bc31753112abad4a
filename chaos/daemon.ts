import type { Options } from "./options.ts";
import type { Report } from "./report.ts";

export async function daemonChaos(_input: {
  root: string;
  shim: string | undefined;
  options: Options;
  report: Report;
}): Promise<void> {}

import { parentPort } from "node:worker_threads";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import type { TimedCheck, TimedReply } from "./timed-check.ts";

/** The other side of `timed-check.ts`: one check at a time. */
parentPort?.on("message", (job: TimedCheck) => {
  answer({ began: true });
  try {
    answer(job.kind === "regex" ? matchOf(job) : validityOf(job));
  } catch (thrown) {
    answer({ failure: thrown instanceof Error ? thrown.message.slice(0, 300) : "The check failed." });
  }
});

function answer(reply: TimedReply): void {
  parentPort?.postMessage(reply, []);
}

function matchOf({ pattern, flags, text }: Extract<TimedCheck, { kind: "regex" }>): TimedReply {
  return { matches: new RegExp(pattern, flags).test(text), problems: [] };
}

const validators = new Map<string, ValidateFunction>();

function validityOf({ schema, value }: Extract<TimedCheck, { kind: "schema" }>): TimedReply {
  const key = JSON.stringify(schema);
  let validate = validators.get(key);
  if (!validate) {
    const ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true, validateFormats: false });
    validate = ajv.compile(schema);
    validators.set(key, validate);
  }
  const matches = validate(value);
  const problems = (validate.errors ?? []).slice(0, 5).map(({ instancePath, message }) => {
    return `${instancePath === "" ? "the answer" : instancePath} ${message ?? "is not valid"}`;
  });
  return { matches, problems };
}

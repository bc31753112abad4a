import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  BenchtopError,
  errorCodes,
  errorRules,
  isProviderError,
  isRuntimeError,
  isToolError,
  phases,
  type ErrorOptions,
} from "./errors.ts";
import { errorInfoSchema, Failure } from "./events.ts";

const everything: Required<ErrorOptions> = {
  phase: "publish",
  subphase: "swap",
  retryable: true,
  actions: ["resume"],
  providerId: "p",
  modelId: "m",
  runId: "r",
  workbenchId: "w",
  detail: { path: "a.txt", limit: 3, whole: true, nothing: null, names: ["a", "b"] },
  detailRef: "report_1",
  cause: new Error("why"),
};

describe.for(errorCodes)("H4 %s", (code) => {
  const rule = errorRules[code];

  test("is what the table says of it", () => {
    const error = new BenchtopError(code, "It failed.");
    const { category, status, retryable, actions } = rule;
    expect(error).toMatchObject({ name: "BenchtopError", code, category, status, message: "It failed." });
    expect(error.info).toEqual({ error_code: code, phase: "run", retryable, actions });
    expect([isProviderError(error), isRuntimeError(error), isToolError(error)]).toEqual(
      ["provider", "runtime", "tool"].map((name) => name === category),
    );
  });

  test("survives a journal and a wire whole, its cause left out", () => {
    const error = new BenchtopError(code, "It failed.", everything);
    const sent = JSON.parse(JSON.stringify({ message: error.message, ...error.info })) as Failure;
    expect(Failure.parse(sent)).toEqual(sent);
    expect(errorInfoSchema.parse(error.info)).toEqual(error.info);
    const heard = BenchtopError.of(sent);
    expect({ message: heard.message, info: heard.info, cause: heard.cause }).toEqual({
      message: error.message,
      info: error.info,
      cause: undefined,
    });
    expect(JSON.stringify(sent)).not.toContain("why");
  });
});

describe("H4 an error of the taxonomy", () => {
  test("keeps what it knows where a place knows something else, and learns the rest", () => {
    const known = new BenchtopError("PROVIDER_UNAVAILABLE", "It broke.", everything);
    const place = { subphase: "x", providerId: "x", modelId: "x", runId: "x", workbenchId: "x" };
    expect(known.at(place).info).toEqual(known.info);
    expect(known.at(place).cause).toBe(everything.cause);
    const learned = new BenchtopError("PROVIDER_UNAVAILABLE", "It broke.").at(place);
    expect(learned.info).toMatchObject({ subphase: "x", provider_id: "x", model_id: "x", run_id: "x" });
    for (const phase of phases) expect(known.at({ phase }).info.phase).toBe(phase);
  });

  test("is known as one when it comes from another copy of the package", () => {
    expect(BenchtopError.is({ [Symbol.for("benchtop.error")]: true })).toBe(true);
    expect([new Error("x"), "x", null, undefined, {}].some((value) => BenchtopError.is(value))).toBe(false);
  });

  test.for<[string, unknown, string]>([
    ["a full disk", Object.assign(new Error("no space"), { code: "ENOSPC" }), "DISK_FULL"],
    ["a used-up quota", Object.assign(new Error("quota"), { code: "EDQUOT" }), "DISK_FULL"],
    ["a full database", new Error("database or disk is full"), "DISK_FULL"],
    ["an abort", new DOMException("aborted", "AbortError"), "USER_CANCELED"],
    ["a defect", new TypeError("x is not a function"), "INTERNAL"],
    ["a text", "thrown", "INTERNAL"],
    ["nothing", undefined, "INTERNAL"],
  ])("is made of %s", ([, thrown, code]) => {
    const error = BenchtopError.from(thrown, "INTERNAL", { runId: "r" });
    expect(error.info).toMatchObject({ error_code: code, run_id: "r" });
    expect(error.cause).toBe(thrown);
  });

  test("tells the words of what was thrown only where a code is named for it", () => {
    const thrown = new Error("in the prompt");
    expect(BenchtopError.from(thrown).message).not.toContain("prompt");
    expect(BenchtopError.from(thrown, "FILE_READ_FAILED").message).toBe("in the prompt");
  });

  test("is made of whatever is thrown, and one that is there already stays the same", () => {
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom(...errorCodes), (thrown, fallback) => {
        const error = BenchtopError.from(thrown, fallback);
        expect(errorCodes).toContain(error.code);
        expect(typeof error.message).toBe("string");
        expect(BenchtopError.from(error, "DISK_FULL")).toBe(error);
      }),
    );
  });
});

import assert from "node:assert/strict";
import type { ProviderPart, ProviderRequest } from "@benchtop/harness";
import type { BenchtopError } from "@benchtop/protocol";
import { failure, said, textIn } from "./hearing.ts";
import type { RuntimeCase, RuntimeSubject, ServerFault } from "./subject.ts";

/** How servers go wrong. A runtime whose processes are its own has no such way. */
export function serverCases(
  subject: () => RuntimeSubject,
  stream: (request: ProviderRequest) => AsyncIterable<readonly ProviderPart[]>,
  greeting: () => ProviderRequest,
): RuntimeCase[] {
  const faulty = (fault: ServerFault, check: (error: BenchtopError, text: string) => void): (() => Promise<void>) => {
    return async () => {
      const { misbehave } = subject();
      if (!misbehave) return;
      misbehave(fault);
      const parts: ProviderPart[] = [];
      const error = await failure(said(stream(greeting()), (part) => parts.push(part)));
      assert.equal(error.category, "provider");
      check(error, textIn(parts));
    };
  };
  return [
    {
      name: "says how long a server that is loading or busy asks to wait",
      run: faulty("loading", ({ code, info }) => {
        assert.deepEqual([code, info.retryable, info.detail?.["retry_after_ms"]], ["PROVIDER_UNAVAILABLE", true, 2000]);
      }),
    },
    {
      name: "gives what came and then fails when a server dies in the middle of an answer",
      run: faulty("dies", ({ code, info }, text) => {
        assert.deepEqual([code, info.retryable], ["PROVIDER_UNAVAILABLE", true]);
        assert.equal(subject().asks.greeting.answer(subject().model).startsWith(text), true);
      }),
    },
    {
      name: "fails on what is not the protocol",
      run: faulty("garbage", ({ code }) => assert.equal(code, "PROVIDER_UNAVAILABLE")),
    },
    {
      name: "fails on a web page",
      run: faulty("page", ({ code, info }) =>
        assert.deepEqual([code, info.retryable], ["PROVIDER_UNAVAILABLE", false]),
      ),
    },
    {
      name: "gives nothing of an answer that comes from another model than the one that was asked",
      run: faulty("impostor", ({ code, info, message }, text) => {
        assert.deepEqual([code, info.retryable, text], ["PROVIDER_NOT_CONFIGURED", false, ""]);
        assert.match(message, /another-model/);
      }),
    },
  ];
}

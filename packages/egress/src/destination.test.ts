import { BenchtopError } from "@benchtop/protocol";
import { describe, expect, test } from "vitest";
import { checkProviderUrl, type Place } from "./destination.ts";

function codeOf(url: string, place: Place): string {
  try {
    return checkProviderUrl(url, place).href;
  } catch (error) {
    return BenchtopError.is(error) ? error.code : String(error);
  }
}

describe("S8 the base URL of a provider elsewhere", () => {
  test.each([
    ["https://api.openai.com/v1", "https://api.openai.com/v1"],
    ["  https://api.openai.com/v1 ", "https://api.openai.com/v1"],
    ["https://API.OpenAI.com", "https://api.openai.com/"],
    ["https://gateway.example:8443/openai/v1/", "https://gateway.example:8443/openai/v1/"],
    ["https://münchen.example/v1", "https://xn--mnchen-3ya.example/v1"],
    ["https://llm/v1", "https://llm/v1"],
  ])("%s is accepted", (url, href) => {
    expect(codeOf(url, "elsewhere")).toBe(href);
  });

  test.each([
    "http://api.openai.com/v1",
    "https://10.0.0.7/v1",
    "https://[::1]/v1",
    "https://0x7f.1/v1",
    "https://localhost/v1",
    "https://localhost:8080/v1",
    "https://my.localhost/v1",
    "https://key@api.openai.com/v1",
    "https://user:key@api.openai.com/v1",
    "https://api.openai.com./v1",
    "https://1.2.3/v1",
    "https://999.999.999.999/v1",
    "ftp://api.openai.com/v1",
    "javascript:alert(1)",
    "file:///etc/passwd",
  ])("%s is against the policy", (url) => {
    expect(codeOf(url, "elsewhere")).toBe("EGRESS_BLOCKED_BY_POLICY");
  });

  test.each([
    "",
    "openai",
    "api.openai.com/v1",
    "localhost:11434/v1",
    "https://api.openai.com/v1?key=1",
    "https://api.openai.com/#x",
  ])("“%s” is no base URL", (url) => {
    expect(codeOf(url, "elsewhere")).toBe("VALIDATION_FAILED");
  });

  test("an address of this machine without --local says how to add it", () => {
    expect(() => checkProviderUrl("http://localhost:11434/v1", "elsewhere")).toThrow(/--local/);
    expect(() => checkProviderUrl("http://127.0.0.1:11434/v1", "elsewhere")).toThrow(/--local/);
  });
});

describe("S8 the base URL of a provider on this machine", () => {
  test.each([
    ["http://localhost:11434/v1", "http://localhost:11434/v1"],
    ["https://localhost/v1", "https://localhost/v1"],
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080/"],
    ["http://127.8.9.10:8080/", "http://127.8.9.10:8080/"],
    ["http://[::1]:8080/v1", "http://[::1]:8080/v1"],
    ["http://127.1:8080/", "http://127.0.0.1:8080/"],
  ])("%s is accepted", (url, href) => {
    expect(codeOf(url, "this-machine")).toBe(href);
  });

  test.each([
    "http://192.168.1.20:11434/v1",
    "http://0.0.0.0:11434/v1",
    "http://[::]:11434/v1",
    "http://[::ffff:127.0.0.1]:11434/v1",
    "http://api.openai.com/v1",
    "https://api.openai.com/v1",
    "http://api.localhost:11434/v1",
    "http://localhost.:11434/v1",
    "http://localhost.evil.example:11434/v1",
    "http://127.0.0.1.nip.io/v1",
    "http://user:key@localhost:11434/v1",
    "http://localhost:11434@evil.example/v1",
    "ws://localhost:11434/v1",
    "http://[fe80::1]:11434/v1",
  ])("%s is not local", (url) => {
    expect(codeOf(url, "this-machine")).toBe("EGRESS_BLOCKED_BY_POLICY");
  });
});

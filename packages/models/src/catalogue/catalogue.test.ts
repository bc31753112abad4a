import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BenchtopError } from "@benchtop/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { entryFor, factsOf, openCatalogue, type Catalogue } from "./catalogue.ts";
import { parseSources } from "./parse.ts";
import { withPreset } from "./preset.ts";
import { sourcesOf } from "./sources.ts";

const loadCatalogue = async (home: string): Promise<Catalogue> => await parseSources(await sourcesOf(home));

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "benchtop-catalogue-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

async function own(text: string, name = "mine.yaml"): Promise<string> {
  const folder = join(home, "ssot/providers/ai");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

const entry = (fields: string): string => `version: 1
providers:
  - id: mine
    displayName: Mine
    kind: openai-chat
    auth: { scheme: bearer }
    listsModels: true
    docs: https://models.example/docs
${fields}`;

const usual = `    baseUrl: https://models.example/v1
    egressHosts: [models.example]
`;

async function refusal(): Promise<BenchtopError> {
  try {
    await loadCatalogue(home);
  } catch (thrown) {
    return BenchtopError.from(thrown);
  }
  throw new Error("The catalogue was taken.");
}

describe("W3 what ships", () => {
  test("W3 the description of providers that ships is right, and says what a plan needs", async () => {
    const { providers } = await loadCatalogue(home);
    expect(providers.map(({ id }) => id)).toEqual(
      expect.arrayContaining(["openai", "anthropic", "google", "vercel", "azure-openai", "ollama", "vllm"]),
    );
    for (const { local, egressHosts, models } of providers) {
      expect(egressHosts.every((host) => local === /^(127\.|localhost)/.test(host))).toBe(true);
      const days = models.flatMap(({ prices }) => prices?.asOf ?? []);
      expect(days.filter((day) => !/^\d{4}-\d\d-\d\d$/.test(day))).toEqual([]);
    }
    const openai = entryFor(
      { providers },
      { kind: "openai-responses", baseUrl: "https://api.openai.com/v1", local: false },
    );
    expect(factsOf(openai, "gpt-5-mini")).toMatchObject({
      contextTokens: 400_000,
      prices: { inputPerMillion: 0.25 },
      capabilities: { tools: true },
    });
    expect(factsOf(openai, "gpt-unheard-of")).toBeUndefined();
  });

  test("W3 it is parsed once for the same files, and again when one of them has changed", async () => {
    const first = await openCatalogue(home);
    expect(await first.read()).toBe(await first.read());
    expect(await first.read()).toEqual(await loadCatalogue(home));
    const kept = join(home, "cache/provider-catalogue.json");
    const text = await readFile(kept, "utf8");
    const marked = text.replace('"displayName":"OpenAI"', '"displayName":"Kept"');
    await writeFile(kept, marked);
    const nameOf = async (): Promise<string | undefined> =>
      (await (await openCatalogue(home)).read()).providers.find(({ id }) => id === "openai")?.displayName;
    expect(await nameOf()).toBe("Kept");
    await own("version: 1\nproviders:\n  - { id: ollama, displayName: Mine }\n");
    expect(await nameOf()).toBe("OpenAI");
    await writeFile(kept, "{ damaged");
    expect(await nameOf()).toBe("OpenAI");
  });
});

test("W3 a reading that is closed ends, and writes nothing", async () => {
  const catalogue = await openCatalogue(home);
  const reading = catalogue.read().catch((thrown: unknown) => BenchtopError.from(thrown).code);
  await catalogue.close();
  expect(await reading).toBe("USER_CANCELED");
  expect(await readdir(home)).toEqual([]);
  await expect(catalogue.read()).rejects.toMatchObject({ code: "USER_CANCELED" });
});

describe("W3 an operator's own descriptions", () => {
  test("W3 add providers, and change of a known one what they name", async () => {
    await own(
      `${entry(usual)}
  - id: openai
    displayName: Ours
    models:
      - { id: gpt-5, contextTokens: 1000 }
      - { id: tuned, contextTokens: 2000, capabilities: { tools: false } }
`,
    );
    const { providers } = await loadCatalogue(home);
    const openai = providers.find(({ id }) => id === "openai");
    expect(openai).toMatchObject({ displayName: "Ours", baseUrl: "https://api.openai.com/v1" });
    expect(factsOf(openai, "gpt-5")).toEqual({ contextTokens: 1000 });
    expect(factsOf(openai, "tuned")?.capabilities).toEqual({ tools: false });
    expect(factsOf(openai, "gpt-4o")?.contextTokens).toBe(128_000);
    expect(providers.at(-1)).toMatchObject({ id: "mine", local: false, models: [] });
  });

  test("W3 describe the models of a server on loopback by its whole address", async () => {
    await own(`version: 1
providers:
  - id: ollama
    models: [{ id: "qwen3:8b", contextTokens: 40960 }]
`);
    const catalogue = await loadCatalogue(home);
    const ollama = { kind: "openai-chat", baseUrl: "http://127.0.0.1:11434/v1", local: true } as const;
    expect(factsOf(entryFor(catalogue, ollama), "qwen3:8b")?.contextTokens).toBe(40_960);
    expect(entryFor(catalogue, { ...ollama, baseUrl: "http://127.0.0.1:9999/v1" })).toBeUndefined();
  });

  test("W3 with a mistake stop the start, naming file, line and field", async () => {
    const file = await own(
      entry(
        `${usual}    models:\n      - id: a\n        prices:\n          asOf: 2026-01-01\n          inputPerMillion: cheap\n`,
      ),
    );
    await expect(openCatalogue(home)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    const error = await refusal();
    expect(error.message).toContain(`${file}:15: providers[0].models[0].prices.inputPerMillion must be a number`);
    expect(error.message).toContain("providers[0].models[0].prices.outputPerMillion is missing");
    expect(error.info.detail).toMatchObject({ path: file, line: 15 });
    expect(error.message).not.toContain("cheap");
  });

  test.for<[string, string, RegExp]>([
    ["a field that nobody knows", entry(`${usual}    apiKey: sk-planted\n`), /:11: providers\[0\]\.apiKey is no field/],
    ["a wrong type", entry(`${usual}    local: "yes"\n`), /:11: providers\[0\]\.local must be true or false/],
    ["a missing field", entry("    egressHosts: [models.example]\n"), /:3: providers\[0\]\.baseUrl is missing/],
    [
      "a kind that is none",
      entry(usual).replace("openai-chat", "telepathy"),
      /:5: providers\[0\]\.kind must be .* or /,
    ],
    ["a key twice", `${entry(usual)}    kind: openai-chat\n`, /:11: .*duplicate key/],
    ["an id twice", `${entry(usual)}  - id: mine\n`, /:11: providers\[1\]\.id names a provider that is in/],
    [
      "a model twice",
      entry(`${usual}    models:\n      - id: a\n      - id: a\n`),
      /:13: providers\[0\]\.models\[1\]\.id/,
    ],
    ["a tab as indentation", entry("\tbaseUrl: https://models.example/v1\n"), /:9: .*tab/],
    [
      "an anchor",
      entry(`    baseUrl: &a https://models.example/v1\n    egressHosts: [models.example]\n`),
      /:9: .*anchors/,
    ],
    ["aliases that multiply", billionLaughs(), /(anchors|aliases)/],
    ["a tag", entry(`${usual}    models: !!js/function "x"\n`), /(:11: .*tags|tag resolve)/],
    ["a merge key", entry(`${usual}    <<: { local: true }\n`), /:11: providers\[0\]\.<< is no field/],
    ["a second document", `${entry(usual)}---\nversion: 1\n`, /multiple docs/],
    ["another version", entry(usual).replace("version: 1", "version: 2"), /:1: version must be 1/],
    ["a list in the place of the file", "- id: mine\n", /:1: the file must be a map/],
    ["nothing at all", "", /:1: the file must be a map/],
    ["no YAML", "version: 1\nproviders: [\n", /is not YAML that can be read/],
    ["thousands of levels of brackets", `version: 1\nproviders: ${"[".repeat(50_000)}\n`, /:2: .*nested deeper/],
    ["thousands of levels of dashes", `version: 1\nproviders: ${"- ".repeat(50_000)}x\n`, /:2: .*nested deeper/],
    ["thousands of levels of lines", nestedLines(3000), /nested deeper/],
    ["http:// to elsewhere", entry(usual.replace("https://", "http://")), /:9: providers\[0\]\.baseUrl .*only https/],
    ["an address in the place of a name", entry(usual.replaceAll("models.example", "10.0.0.7")), /:9: .*IP address/],
    ["an address in another notation", entry(usual.replaceAll("models.example", "0x7f.1")), /:9: .*IP address/],
    [
      "a host of another",
      entry(usual.replace("[models.example]", "[api.openai.com]")),
      /:10: .*must name the host of baseUrl/,
    ],
    [
      "a host with a path",
      entry(usual.replace("[models.example]", '["models.example", "other.example/x"]')),
      /:10: .*egressHosts\[1\]/,
    ],
    ["a local one that is not", entry(`${usual}    local: true\n`), /:9: providers\[0\]\.baseUrl .*loopback/],
    [
      "a password in the address",
      entry(usual.replace("https://", "https://u:planted@")),
      /:9: .*user name or password/,
    ],
    [
      "a header that steers",
      entry(usual).replace("{ scheme: bearer }", "{ scheme: header, header: host }"),
      /:6: .*header/,
    ],
    ["a header without a scheme", entry(usual).replace("bearer }", "bearer, header: x-key }"), /:6: .*auth\.header/],
    [
      "a price below nothing",
      entry(
        `${usual}    models: [{ id: a, prices: { asOf: 2026-01-01, inputPerMillion: -1, outputPerMillion: 1 } }]\n`,
      ),
      /:11: .*must not be less than 0/,
    ],
    ["no number", entry(`${usual}    models: [{ id: a, contextTokens: .nan }]\n`), /:11: .*contextTokens/],
    [
      "an answer longer than its context",
      entry(`${usual}    models: [{ id: a, contextTokens: 5, maxOutputTokens: 6 }]\n`),
      /:11: .*more than contextTokens/,
    ],
  ])("W3 are refused with %s", async ([, text, message]) => {
    const file = await own(text);
    const error = await refusal();
    expect(error.code).toBe("VALIDATION_FAILED");
    expect(error.message).toMatch(message);
    expect(error.message).toContain(`${file}:`);
    expect(error.message).not.toMatch(/planted/);
  });

  test("W3 an id that two files name is refused with both", async () => {
    const first = await own(entry(usual), "a.yaml");
    const second = await own(entry(usual), "b.yaml");
    const { message } = await refusal();
    expect(message).toContain(`${second}:3: providers[0].id names a provider that is in ${first} already`);
  });

  test("W3 a file without an end is not read", async () => {
    await own(`# ${"x".repeat(600_000)}`);
    expect((await refusal()).message).toMatch(/:1: .*longer than/);
  });
});

describe("W3 a preset", () => {
  test("W3 fills in what is not given; what is given wins", async () => {
    const catalogue = await loadCatalogue(home);
    expect(withPreset({ preset: "openai", apiKey: "sk-1" }, catalogue)).toEqual({
      name: "openai",
      kind: "openai-responses",
      baseUrl: "https://api.openai.com/v1",
      local: false,
      apiKey: "sk-1",
    });
    const given = {
      preset: "openai",
      name: "eu",
      kind: "openai-chat",
      baseUrl: "https://eu.api.openai.com/v1",
      apiKey: "k",
    } as const;
    expect(withPreset(given, catalogue)).toMatchObject({ name: "eu", kind: "openai-chat", baseUrl: given.baseUrl });
    expect(withPreset({ preset: "ollama" }, catalogue)).toMatchObject({ name: "ollama", local: true });
  });

  test("W3 takes its key to no host but the provider's", async () => {
    const catalogue = await loadCatalogue(home);
    const stolen = { preset: "openai", baseUrl: "https://api.openai.com.evil.example/v1", apiKey: "sk-1" };
    expect(() => withPreset(stolen, catalogue)).toThrow(expect.objectContaining({ code: "EGRESS_BLOCKED_BY_POLICY" }));
    const azure = { preset: "azure-openai", apiKey: "k", baseUrl: "https://ours.openai.azure.com/openai/v1" };
    expect(withPreset(azure, catalogue).baseUrl).toBe(azure.baseUrl);
    for (const baseUrl of ["https://a.b.openai.azure.com/openai/v1", "https://evil.example/.openai.azure.com"]) {
      expect(() => withPreset({ ...azure, baseUrl }, catalogue)).toThrow(BenchtopError);
    }
  });

  test.for<[string, object, RegExp]>([
    ["is not there", { preset: "nobody" }, /no preset “nobody”.*openai/],
    ["needs a key", { preset: "openai" }, /wants an API key: https:/],
    ["has an address of one's own", { preset: "azure-openai", apiKey: "k" }, /is your own/],
    ["is not named, and nothing else is", { name: "x" }, /a kind and a base URL, or a preset/],
  ])("W3 that %s is said in words", async ([, asked, message]) => {
    const catalogue = await loadCatalogue(home);
    expect(() => withPreset(asked, catalogue)).toThrow(message);
  });
});

test("W3 what ships says so of itself: it is not to be edited, and its prices are to be checked", async () => {
  const text = await readFile(join(import.meta.dirname, "../../../../ssot/providers/ai/provider.yaml"), "utf8");
  expect(text).toMatch(/check them with the provider/);
});

function billionLaughs(): string {
  const lines = ["version: 1", "a: &a [x, x, x, x, x, x, x, x, x]"];
  for (let level = 0; level < 12; level++) {
    const [name, before] = [String.fromCharCode(98 + level), String.fromCharCode(97 + level)];
    lines.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(", ")}]`);
  }
  return `${lines.join("\n")}\nproviders: []\n`;
}

function nestedLines(levels: number): string {
  return Array.from({ length: levels }, (_, level) => `${" ".repeat(level)}a:`)
    .join("\n")
    .slice(0, 500_000);
}

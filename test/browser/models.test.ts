import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeGguf } from "../../packages/llama/src/gguf/write.ts";
import { tinyScriptedModel } from "../../packages/llama/test/tiny-scripted-model.ts";
import {
  serveRepository,
  startModelFileServer,
  type ModelFileServer,
} from "../../packages/models/test/model-file-server.ts";
import { Bench, hasBrowser, violations } from "./bench.ts";

const scripts = {
  paris: "The capital of France is **Paris**.",
  rome: "The capital of Italy is **Rome**.",
};
const text = "Paris is the capital of France, and Rome is the capital of Italy. ".repeat(60);
const examples = ["draft", "run", "model", "file", "review", "token", "guide", "budget"]
  .flatMap((word) => [`what is a ${word}`, `tell me about a ${word}`].map((prompt) => ({ prompt, completion: word })))
  .map((example) => JSON.stringify(example))
  .join("\n");

/** Models of this machine: one looks at them, installs, loads, asks, makes and removes them, all by the real llama.cpp. */
describe.skipIf(!hasBrowser)("local models in a browser (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  let hub: ModelFileServer;
  beforeAll(async () => {
    hub = await startModelFileServer();
    bench = await Bench.start({ config: { models: { huggingFace: { baseUrl: hub.url } } } });
    const file = await readFile(await modelFile("paris"));
    serveRepository(hub, "acme/capitals-GGUF", {
      "capitals-F16.gguf": file,
      // As long, and another file.
      "capitals-Q8_0.gguf": Buffer.concat([file, Buffer.alloc(32)]),
    });
  });
  afterAll(async () => {
    await bench[Symbol.asyncDispose]();
    await hub.close();
  });

  /** A file of a model that says one thing, as a person would have it on their disk. */
  async function modelFile(name: keyof typeof scripts): Promise<string> {
    const path = join(bench.folder, "files", `${name}.gguf`);
    await writeGguf(path, tinyScriptedModel({ name, script: scripts[name] }));
    return path;
  }

  async function install(name: keyof typeof scripts): Promise<void> {
    const source = await modelFile(name);
    await bench.client.call("localModels.install", { source, name });
    await expect
      .poll(async () => (await bench.client.call("localModels.list", {})).items.map((model) => model.name))
      .toContain(name);
  }

  test("PX on a fresh machine the guide answers, and says what it does not know", async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.getByText("Choose where answers come from").waitFor();
    const guide = page.getByRole("region", { name: "The guide" });
    await guide.getByLabel("Ask the guide").fill("what is Benchtop?");
    await page.keyboard.press("Enter");
    await guide.getByText("View run").waitFor();
    // How good its answers are is measured elsewhere; here it answers at all.
    const answer = await guide.getByRole("log").innerText();
    expect(answer.length).toBeGreaterThan(20);
    expect(answer).not.toContain("It does not know this");
    await guide.getByLabel("Ask the guide").fill("who won the world cup of 1998?");
    await page.keyboard.press("Enter");
    await guide.getByText("It does not know this, and says so instead of guessing:").waitFor();
    await guide.getByRole("link", { name: "View run" }).click();
    await page.getByText("Verify journal").waitFor();
    expect(bench.strayRequests).toEqual([]);
  });

  test("P2.1 a model of a hub is chosen, downloaded, paused, examined and removed", { timeout: 60_000 }, async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.keyboard.press("g");
    await page.keyboard.press("m");
    await row(page, "guide").getByText("comes with Benchtop").waitFor();
    await page.getByRole("button", { name: "Limits" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("All downloads, a second").fill("500");
    await dialog.getByText("A number and its unit: 50 GB.").waitFor();
    await dialog.getByLabel("All downloads, a second").fill("500 kB");
    await dialog.getByRole("button", { name: "Save" }).click();
    await dialog.waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Install a model" }).click();
    expect(page.url()).toContain("window=install");
    await dialog.getByLabel("Where from").fill("somewhere");
    await page.keyboard.press("Enter");
    await dialog.getByText("VALIDATION_FAILED").waitFor();
    await dialog.getByLabel("Where from").fill("hf:acme/capitals-GGUF");
    await dialog.getByRole("button", { name: "Look" }).click();
    await dialog.getByRole("radio", { name: /F16/ }).click();
    await dialog.getByLabel("Name (optional)").fill("capital");
    await dialog.getByRole("button", { name: /^Install 1\.\d MB$/ }).click();
    const downloads = page.getByRole("list", { name: "Downloads" });
    await downloads.getByText(/kB\/s/).waitFor();
    await downloads.getByRole("button", { name: "Pause capital" }).click();
    await downloads.getByText("Paused").waitFor();
    await bench.client.call("localModels.configure", { downloadBytesPerSecond: null });
    await downloads.getByRole("button", { name: "Resume capital" }).click();
    await row(page, "capital").waitFor();
    await downloads.waitFor({ state: "detached" });

    await row(page, "capital").getByRole("button", { name: "capital", exact: true }).click();
    expect(page.url()).toContain("model=capital");
    await dialog.getByText("Memory when loaded").waitFor();
    await dialog.getByRole("button", { name: "Verify" }).click();
    await dialog.getByText("Whole and unchanged.").waitFor();
    await dialog.getByRole("button", { name: "Close" }).last().click();

    await row(page, "guide").getByRole("button", { name: "More about guide" }).click();
    await page
      .getByRole("menuitem", { name: /Remove/ })
      .getByText("It comes with Benchtop and stays.")
      .waitFor();
    await page.keyboard.press("Escape");
    await row(page, "capital").getByRole("button", { name: "More about capital" }).click();
    await page.getByRole("menuitem", { name: /Remove/ }).click();
    await dialog.getByRole("button", { name: /^Remove 1\.\d MB$/ }).click();
    await row(page, "capital").waitFor({ state: "detached" });
  });

  test(
    "P2.3 loading and unloading show in the row and on the meter, for whoever may run",
    { timeout: 60_000 },
    async () => {
      await install("paris");
      await using page = await bench.browser();
      await bench.join(page, "Grace Hopper", "editor");
      await page.goto(`${bench.url}/models`);
      const memory = page.getByRole("meter", { name: "Memory" });
      await row(page, "paris").getByRole("button", { name: "Load paris" }).click();
      await row(page, "paris").getByText("Loaded", { exact: true }).waitFor();
      await row(page, "paris")
        .getByText(/^leaves in/)
        .waitFor();
      await expect.poll(() => memory.getAttribute("aria-valuetext")).toMatch(/^Loaded models take \d+ MB of at most/);
      await row(page, "paris").getByRole("button", { name: "Unload paris" }).click();
      await row(page, "paris").getByText("not loaded").waitFor();
      // What changes the machine is its operator's.
      expect(await page.getByRole("button", { name: "Install a model" }).count()).toBe(0);
      await row(page, "paris").getByRole("button", { name: "More about paris" }).click();
      expect(await page.getByRole("menuitem").allInnerTexts()).toEqual(["Details", "Load with settings…"]);
    },
  );

  test(
    "P2.3 one prompt is asked of two models side by side, at an address that names them",
    { timeout: 60_000 },
    async () => {
      await install("rome");
      await bench.client.call("providers.add", {
        name: "elsewhere",
        kind: "openai-chat",
        baseUrl: "https://models.example.com/v1",
        apiKey: "sk-none",
      });
      await using page = await bench.browser();
      await bench.signIn(page);
      await page.goto(`${bench.url}/models`);
      await row(page, "paris").getByRole("link", { name: "Try paris" }).click();
      await page.getByRole("button", { name: "Compare with another model" }).click();
      await page
        .getByRole("button", { name: /^Model: / })
        .nth(1)
        .click();
      await page.getByRole("option", { name: "benchtop/rome" }).click();
      await page.getByLabel("Prompt").fill("Which capital do you know?");
      await page.keyboard.press("Control+Enter");
      await page
        .getByRole("log", { name: "Answer of benchtop/paris" })
        .getByText("The capital of France is Paris.")
        .waitFor();
      await page
        .getByRole("log", { name: "Answer of benchtop/rome" })
        .getByText("The capital of Italy is Rome.")
        .waitFor();
      await expect.poll(() => page.getByRole("link", { name: "View run" }).count()).toBe(2);
      expect(decodeURIComponent(page.url())).toContain('models=["benchtop/paris","benchtop/rome"]');
      expect(page.url()).not.toContain("capital");

      // Another machine is asked after a person has said so, and not before.
      await page.goto(`${bench.url}/models/playground?models=["elsewhere/gpt","benchtop/paris"]`);
      await page.getByLabel("Prompt").fill("Which capital do you know?");
      await page.keyboard.press("Control+Enter");
      const consent = page.getByRole("alertdialog", { name: "Consent" });
      await consent.getByText("Send this prompt to models.example.com?").waitFor();
      expect((await bench.client.call("runs.list", { limit: 1 })).items[0]?.modelId).not.toBe("gpt");
      await page.keyboard.press("Escape");
      await consent.waitFor({ state: "detached" });
      await bench.client.call("providers.remove", { name: "elsewhere" });
    },
  );

  test("P2.2 a model is quantized as a job, with its chart and what it lost", { timeout: 60_000 }, async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/models`);
    await row(page, "paris").getByRole("button", { name: "More about paris" }).click();
    await page.getByRole("menuitem", { name: "Quantize…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("combobox", { name: "Weights" }).click();
    await page.getByRole("option", { name: /^Q8_0/ }).click();
    await dialog.getByLabel("A text to measure by (optional)", { exact: true }).fill(text);
    await dialog.getByRole("button", { name: "Quantize", exact: true }).click();
    const result = page.getByRole("region", { name: "Result" });
    await result.getByText("paris-q8-0 is paris as Q8_0").waitFor();
    await result.getByText("Same next token").waitFor();
    const chart = page.getByRole("slider", { name: /^Distance from the source/ });
    await chart.focus();
    await page.keyboard.press("Home");
    expect(await chart.getAttribute("aria-valuetext")).toMatch(/^piece of the text 1, KL divergence /);
    const download = page.waitForEvent("download");
    await result.getByRole("button", { name: "Manifest" }).click();
    expect((await download).suggestedFilename()).toBe("paris-q8-0-manifest.json");
    await result.getByRole("link", { name: "Try it" }).click();
    await page.getByLabel("Prompt").fill("Which capital do you know?");
    await page.getByRole("button", { name: "Ask", exact: true }).click();
    await page.getByText("The capital of France is Paris.").waitFor();
  });

  test("W17 a model is trained from the console, with its curves as they grow", { timeout: 60_000 }, async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/models/jobs`);
    await page.getByRole("button", { name: "Train a model" }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Name").fill("words");
    const field = dialog.getByLabel("Examples", { exact: true });
    await field.fill(`${examples}\n{`);
    await dialog.getByText("Line 17 is no JSON").first().waitFor();
    await field.fill(examples);
    await dialog.getByText("16 examples.").waitFor();
    await dialog.getByRole("button", { name: "Steps" }).click();
    await dialog.getByRole("textbox", { name: "Steps" }).fill("12");
    await dialog.getByRole("button", { name: "Train", exact: true }).click();
    await page.getByRole("list", { name: "Phases" }).getByText("Train", { exact: true }).waitFor();
    await page.getByRole("slider", { name: /^Loss/ }).waitFor();
    await page
      .getByRole("region", { name: "Result" })
      .getByText(/^words is trained: 12 steps/)
      .waitFor();
    const names = (await bench.client.call("localModels.list", {})).items.map((model) => model.name);
    expect(names).toContain("words");
  });

  test("W17 a training is stopped, and what was made so far is told", { timeout: 60_000 }, async () => {
    const { runId } = await bench.client.call("localModels.train", {
      name: "long",
      plan: {
        method: "full",
        size: { layers: 1, width: 32, heads: 1, feedForward: 64, vocabulary: 300 },
        steps: 1_000_000,
      },
      examples,
    });
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.goto(`${bench.url}/models/jobs/${runId}`);
    await page.getByRole("slider", { name: /^Loss/ }).waitFor();
    await page.getByRole("main").getByRole("button", { name: "Stop", exact: true }).click();
    await page.getByText("Nothing was installed.").waitFor();
    // Before the first minute there may be no checkpoint: then that is said, and nothing begins.
    await page.getByRole("button", { name: "Go on from its checkpoint" }).click();
    const goesOn = page.getByRole("link", { name: "another training" });
    await page
      .getByText(/^There is no checkpoint of the training of long/)
      .or(goesOn)
      .waitFor();
    await page.getByRole("link", { name: "Jobs", exact: true }).click();
    const jobs = page.getByRole("list", { name: "Jobs" });
    await jobs.getByText("Stopped").first().waitFor();
    expect(bench.complaints).toEqual([]);
  });

  test.each([
    ["light", { width: 1440 }, ["/models", "/models/playground", "job"]],
    ["dark", { width: 1440, dark: true }, ["/models", "/models?model=paris", "job"]],
    ["on a phone", { width: 390, height: 844 }, ["/models", "/models/jobs?window=train", "job"]],
  ])(
    "no rule of WCAG 2.1 AA is broken, and nothing is cut off (%s)",
    { timeout: 60_000 },
    async (_, options, paths) => {
      const { items } = await bench.client.call("runs.list", { kind: "quantize" });
      await using page = await bench.browser(options);
      await bench.signIn(page);
      const found: string[] = [];
      for (const path of paths) {
        await page.goto(`${bench.url}${path === "job" ? `/models/jobs/${items[0]?.runId}` : path}`);
        await page
          .getByText(shows[path] ?? "")
          .first()
          .waitFor();
        found.push(...(await violations(page)));
        const width = Number(await page.evaluate("document.documentElement.scrollWidth"));
        if (width > options.width) found.push(`${path} is ${width} pixels wide`);
      }
      expect(found).toEqual([]);
    },
  );
});

function row(page: Page, name: string): Locator {
  return page.getByRole("list", { name: "Installed models" }).getByRole("listitem").filter({ hasText: name });
}

/** What is there once a screen has everything. */
const shows: Readonly<Record<string, string>> = {
  "/models": "comes with Benchtop",
  "/models?model=paris": "Memory when loaded",
  "/models/playground": "Its answer comes here.",
  "/models/jobs?window=train": "One JSON object a line",
  job: "Same next token",
};

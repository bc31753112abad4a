import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench, hasBrowser } from "./bench.ts";

describe.skipIf(!hasBrowser)("presets in a browser (needs /usr/bin/chromium)", () => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.start();
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  test("W3 a provider of the catalogue asks for its key alone, and for an address where that is one's own", async () => {
    await using page = await bench.browser();
    await bench.signIn(page);
    await page.getByRole("group", { name: "Other providers" }).getByRole("button", { name: "Mistral" }).click();
    const form = page.getByRole("form", { name: "Mistral" });
    await form.getByLabel("API key").fill("");
    expect(await form.getByLabel("Base URL").count()).toBe(0);
    expect(await form.getByLabel("Name").inputValue()).toBe("mistral");
    await form.getByRole("button", { name: "Back" }).click();
    await page.getByRole("button", { name: "Azure OpenAI" }).click();
    const address = page.getByLabel("Base URL");
    expect(await address.inputValue()).toBe("https://{resource}.openai.azure.com/openai/v1");
    await page.getByLabel("API key").fill("a-key");
    await page.getByRole("button", { name: "Save and test" }).click();
    await page.getByText(/is your own|not a host name|no host of/).waitFor();
  });
});

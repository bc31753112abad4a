import type { Json } from "@benchtop/protocol";
import { expect, test } from "vitest";
import { diffWords } from "./diff-words.ts";
import { renderHtmlReport } from "./html-report.ts";
import { runSuite } from "./run-suite.ts";
import { parseSuite } from "./suite-file.ts";

const attacks = [
  "<script>alert(1)</script>",
  "</pre></script><script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  `"><svg onload=alert(1)>`,
  `' onmouseover='alert(1)`,
  "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
  "<!-- --><style>@import 'https://evil.example/x.css'</style>",
  "</style><link rel=stylesheet href=https://evil.example/x.css>",
  "<base href=https://evil.example/><meta http-equiv=refresh content='0;url=https://evil.example/'>",
  "javascript:alert(1)",
  "{{constructor.constructor('alert(1)')()}}",
  "\u202Egnp.exe\u2066",
  "\0\u001B[31m\uD800",
  "</textarea><form action=https://evil.example><input name=a autofocus onfocus=alert(1)>",
  "&lt;script&gt;alert(1)&lt;/script&gt;",
];

async function hostileReport() {
  const suite = parseSuite({
    name: attacks[0] as Json,
    description: attacks.join("\n"),
    models: ["test/<b>model</b>", "test/two"],
    evaluators: [{ type: "contains", values: ["never"] }],
    cases: attacks.map((attack, index) => ({
      id: `${index} ${attack.replaceAll(/\p{Cc}/gu, "")}`,
      input: attack,
      expected: `${attack} expected`,
    })),
  });
  return await runSuite(suite, {
    runCase: async ({ prompt, caseId }) =>
      caseId.startsWith("1 ")
        ? { output: "", durationMs: 1, error: { code: "<i>", message: prompt } }
        : { output: prompt, durationMs: 1, runId: prompt },
  });
}

/** Names of the attributes of every tag, their quoted values taken out first. */
function attributeNames(html: string): string[] {
  const tags = html.match(/<[a-z][^\s>]*(?:\s+[\w:-]+(?:="[^"]*")?)*\s*\/?>/gi) ?? [];
  return tags.flatMap((tag) =>
    [...tag.replaceAll(/"[^"]*"/g, "").matchAll(/\s([\w:-]+)/g)].map(([, name = ""]) => name.toLowerCase()),
  );
}

test("H6 the HTML report holds hostile output as text and nothing else", async () => {
  const html = renderHtmlReport(await hostileReport());
  // Every tag that is in the page is one that the page's own code writes, with attributes that it writes.
  const body = html.replace(/<style>[^]*?<\/style>/, "").replace(/<script>[^]*?<\/script>/, "");
  const tags = new Set(
    [...body.matchAll(/<([a-z!/][^\s>]*)/gi)].map(([, name = ""]) => name.replace("/", "").toLowerCase()),
  );
  const own =
    "!doctype html head meta title body main header h1 h2 span p div strong small section table thead tbody tr th td svg rect button input details summary b ul li figure figcaption pre del ins code";
  expect([...tags].filter((tag) => !own.split(" ").includes(tag))).toEqual([]);
  expect(attributeNames(body).filter((name) => name.startsWith("on"))).toEqual([]);
  expect(body.match(/<meta/g)).toHaveLength(4);
  expect(html.match(/<script/g)).toHaveLength(1);
  expect(html.match(/<style/g)).toHaveLength(1);
  expect(html).not.toMatch(/[\u202A-\u202E\u2066-\u2069]|[^\n\P{Cc}]/u);
});

test("H6 the HTML report asks no other address and lets nothing but its own script run", async () => {
  const html = renderHtmlReport(await hostileReport());
  expect(html).toMatch(/content="default-src 'none'; style-src 'sha256-[\w+/=]+'; script-src 'sha256-[\w+/=]+';/);
  const loading = new Set(["src", "srcset", "srcdoc", "href", "action", "style", "data", "poster"]);
  expect(attributeNames(html).filter((name) => loading.has(name))).toEqual([]);
  expect(/<style>([^]*?)<\/style>/.exec(html)?.[1]).not.toMatch(/url\(|@import/);
});

test("H6 a diff marks the words that are missing and those that are too many", () => {
  expect(diffWords("the capital is Paris", "the capital is Lyon now")).toEqual([
    { kind: "same", text: "the capital is " },
    { kind: "missing", text: "Paris" },
    { kind: "extra", text: "Lyon now" },
  ]);
  expect(diffWords("Paris", "Lyon")).toBeUndefined();
  expect(diffWords("a ".repeat(5000), "b")).toBeUndefined();
});

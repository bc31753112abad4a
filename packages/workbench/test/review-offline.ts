import { once } from "node:events";
import { writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { createEgress, type EgressRecord } from "@benchtop/egress";
import { openSecrets, Providers } from "@benchtop/models";
import { Runs } from "@benchtop/runs";
import { openStore } from "@benchtop/store";
import { Workbenches } from "../src/index.ts";

/**
 * Run in a network namespace without an interface that is up, not even loopback: reviews a Draft of every kind of file, with no
 * provider configured. Takes the folder to work in; prints what it saw as JSON.
 */
const [, , root = ""] = process.argv;
const fixtures = join(import.meta.dirname, "../../documents/test/fixtures");
const files: Readonly<Record<string, readonly [before: string | Buffer | null, after: string | Buffer]>> = {
  "plan.md": ["one\ntwo\n", "one\n2\n"],
  "new.md": [null, "new\n"],
  "letter.docx": [await fixture("docx/letter.docx"), await fixture("docx/headings.docx")],
  "budget.xlsx": [await fixture("xlsx/01-budget.xlsx"), await fixture("xlsx/24-links.xlsx")],
  "data.csv": ["a,b\n1,2\n", 'a,b\n1,=WEBSERVICE("http://example.com")\n'],
  "talk.pptx": [await fixture("pptx/title-slide.pptx"), await fixture("pptx/links.pptx")],
  "letter.pdf": [await fixture("pdf/letter.pdf"), await fixture("pdf/links.pdf")],
  "picture.png": [await fixture("images/stripes.png"), await fixture("images/stripes.jpg")],
  "data.bin": [Buffer.from([0, 1, 2]), Buffer.from([0, 1, 3])],
};

function fixture(name: string): Promise<Buffer> {
  return readFile(join(fixtures, name));
}

const home = join(root, "home");
const store = await openStore({ home, soleOwner: true });
const runs = new Runs({ store });
const secrets = await openSecrets({ home, configDir: join(root, "config") });
const sent: EgressRecord[] = [];
const egress = createEgress({
  policy: () => ({ allowedHosts: new Map() }),
  consent: { isConsented: () => false },
  record: (event) => sent.push(event),
});
const providers = new Providers({ store, secrets, egress });
const workbenches = new Workbenches({ store, runs, providers, home });
await workbenches.recover();
const { workbenchId } = await workbenches.create({ name: "offline", userId: "someone", workspaceId: "default" });
const uploads: { path: string; sha256: string }[] = [];
for (const [path, [before]] of Object.entries(files)) {
  if (before !== null) uploads.push({ path, sha256: await upload(before) });
}
await workbenches.filesAdd({ workbenchId, uploads, replace: false });
for (const [path, [, after]] of Object.entries(files)) {
  const sha256 = uploads.find((upload) => upload.path === path)?.sha256 ?? null;
  await workbenches.editDraft({ workbenchId, path, upload: await upload(after), sha256 });
}

async function upload(content: string | Buffer): Promise<string> {
  const whose = { userId: "someone", workspaceId: "default" };
  return (await workbenches.upload({ content: Readable.from([Buffer.from(content)]), maxBytes: 1e8, ...whose })).sha256;
}

const { changes } = await workbenches.changeSet({ workbenchId });
const documents: Record<string, string> = {};
for (const { path } of changes)
  documents[path] = (await workbenches.documentDiff({ workbenchId, path, bytes: false })).kind;
const { hunks } = await workbenches.textDiff({ workbenchId, path: "plan.md", contextLines: 3 });
const pages: string[] = [];
for (const side of ["published", "draft"] as const) {
  const page = await workbenches.documentPage({ workbenchId, path: "letter.pdf", side, page: 1, width: 200 });
  pages.push(page.mediaType);
}
const decisions = changes.map(({ path, sha256After }) => ({ path, sha256: sha256After, decision: "accept" as const }));
const accepted = (await workbenches.decide({ workbenchId, userId: "someone", decisions })).changes;

const outcome = {
  addresses: Object.values(networkInterfaces()).flat().length,
  loopback: await codeOfConnecting(),
  changes: changes.map(({ path, linesAdded }) => [path, linesAdded]),
  documents,
  hunks: hunks.length,
  pages,
  accepted: accepted.filter((change) => change.accepted).length,
  sent: sent.length,
};
writeSync(1, JSON.stringify(outcome));
process.exit(0);

/** What becomes of reaching for this very machine. */
async function codeOfConnecting(): Promise<string> {
  const socket = createConnection({ host: "127.0.0.1", port: 9 });
  const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
  return error.code ?? "";
}

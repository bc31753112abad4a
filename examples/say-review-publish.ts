/**
 * A person's part in it, by a program: say something about files, look at what the model made of it, take out one change,
 * edit another by hand, publish, and take that back. `node examples/say-review-publish.ts [--loopback]`
 */
import type { TextDiff } from "@benchtop/operations";
import { exampleBench } from "./loopback/bench.ts";

const notes = "# Flat\n\nRent: 1200\nHeating: 90\nTotal: 1290\n\nDeposit paid in 2019.\nKeys: three.\n";
const proposal = {
  summary: "The new rent and its total, and a letter.",
  changes: [
    {
      path: "notes.md",
      action: "edit",
      edits: [
        { old_text: "Rent: 1200", new_text: "Rent: 1300" },
        { old_text: "Total: 1290", new_text: "Total: 1390" },
        // Nobody asked for this one.
        { old_text: "Keys: three.", new_text: "Keys: two." },
      ],
    },
    { path: "letter.md", action: "write", content: "Dear landlord,\n\nwe got your letter.\n" },
  ],
};

await using bench = await exampleBench([
  { toolCalls: [{ id: "call_1", name: "propose_changes", pieces: [JSON.stringify(proposal)] }] },
  { text: ["The total is right again, ", "and there is a letter to your landlord."] },
]);
const { client, model } = bench;

const { workbenchId } = await client.call("workbenches.create", { name: "Flat" });
const { sha256 } = await client.upload(new TextEncoder().encode(notes));
await client.call("files.add", { workbenchId, uploads: [{ path: "notes.md", sha256 }] });

// What would leave this machine is known before anything does; whoever runs this with a key of theirs agrees to it here.
const { workshop: scope } = await client.call("egress.consentStatus", { workbenchId, model });
console.log(`${scope.fileCount} file, ${scope.totalBytes} bytes, would go to ${scope.host}`);

const message =
  "The rent is 1300 from July. Correct the total in notes.md, and write a short letter.md to the landlord.";
console.log(`\n> ${message}`);
const { runId } = await client.call("workshop.sendUserMessage", {
  workbenchId,
  model,
  message,
  ...(scope.required && { consent: { mode: "once" } }),
});
for await (const event of client.follow(runId)) {
  if (event.type === "OutputDelta" && event.channel === "text") process.stdout.write(event.text);
  if (event.type === "Error") throw new Error(`${event.error.error_code}: ${event.error.message}`);
}

const { draft, changes } = await client.call("review.getChangeSet", { workbenchId });
console.log(`\n\nThe Draft, revision ${draft.revision}:`);
for (const { path, change } of changes) console.log(`  ${change} ${path}`);
const changed = changes.find(({ path }) => path === "notes.md");
const letter = changes.find(({ path }) => path === "letter.md");
if (!changed || !letter) throw new Error("The model did something else. Try again, or another model.");

const diff = await client.call("review.getTextDiff", { workbenchId, path: "notes.md", contextLines: 0 });
show(diff);

// Each decision names the content that it was taken on: what has changed since is refused, not decided on unseen.
const unasked = diff.hunks.filter(({ lines }) => lines.some(({ text }) => text.startsWith("Keys")));
const rest = diff.hunks.filter((hunk) => !unasked.includes(hunk));
const file = { path: "notes.md", sha256: changed.sha256After };
await client.call("draft.decide", {
  workbenchId,
  decisions: [
    ...(unasked.length > 0 ? [{ ...file, decision: "reject" as const, hunks: unasked.map(({ id }) => id) }] : []),
    ...(rest.length > 0 ? [{ ...file, decision: "accept" as const, hunks: rest.map(({ id }) => id) }] : []),
  ],
});
console.log(`\n${unasked.length} of ${diff.hunks.length} hunks rejected; what is left:`);
show(await client.call("review.getTextDiff", { workbenchId, path: "notes.md", contextLines: 0 }));

const written = await textOf("letter.md", "draft");
const content = `${written}\nYours, Ada\n`;
await client.call("draft.edit", { workbenchId, path: "letter.md", content, sha256: letter.sha256After });
console.log("\nletter.md, signed by hand.");

const reviewed = await client.call("draft.getState", { workbenchId });
const { checkpointId } = await client.call("draft.publish", {
  workbenchId,
  message: "The new rent",
  // Exactly what was looked at: a Draft that somebody went on with is refused.
  draftId: reviewed.draftId ?? "",
  revision: reviewed.revision,
});
console.log(`\nPublished. ${await listed()}`);
console.log(await textOf("notes.md", "published"));

await client.call("checkpoints.restore", { workbenchId, checkpointId: checkpointId ?? "" });
console.log(`Taken back to the checkpoint of before. ${await listed()}`);
const restored = await textOf("notes.md", "published");
console.log(restored === notes ? "notes.md is what it was." : "notes.md is not what it was!");
process.exitCode = restored === notes ? 0 : 1;

function show({ path, hunks }: TextDiff): void {
  const signs = { context: " ", added: "+", removed: "-" } as const;
  for (const { lines } of hunks) {
    console.log(`  ${path}`);
    for (const { kind, text } of lines) console.log(`    ${signs[kind]} ${text}`);
  }
}

async function textOf(path: string, side: "draft" | "published"): Promise<string> {
  const read = await client.download({ workbenchId, path, side });
  return new TextDecoder().decode(await read.arrayBuffer());
}

async function listed(): Promise<string> {
  const { items } = await client.call("files.list", { workbenchId });
  return `The files: ${items.map(({ path }) => path).join(", ")}.`;
}

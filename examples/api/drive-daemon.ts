/**
 * Drives a daemon from a program: puts a file into a workbench, asks an agent for a change, watches it work, reviews the
 * difference and publishes it. `BENCHTOP_URL=… BENCHTOP_TOKEN=… MODEL=provider/model node examples/api/drive-daemon.ts`
 */
import { BenchtopError, createClient } from "@benchtop/client";

const { BENCHTOP_URL: url, BENCHTOP_TOKEN: token, MODEL: model } = process.env;
if (!url || !token || !model) {
  console.error(
    [
      "This example drives a running daemon. Say which, as whom, and with which model:",
      "  export BENCHTOP_TOKEN=$(npx benchtop keys create drive-daemon --work)",
      "  export BENCHTOP_URL=http://127.0.0.1:4747",
      `  MODEL=local/qwen3 node ${process.argv[1]}`,
    ].join("\n"),
  );
  process.exit(2);
}

const client = createClient({ url, token });
const { displayName, workspaceName } = await client.call("identity.whoami", {});
console.log(`${displayName} in ${workspaceName}`);

const { workbenchId } = await client.call("workbenches.create", { name: `example ${Date.now()}` });
try {
  const { sha256 } = await client.upload(new TextEncoder().encode("# Notes\n\nRent went up in March.\n"));
  await client.call("files.add", { workbenchId, uploads: [{ path: "notes.md", sha256 }] });

  const { runId } = await client.call("workshop.runAgent", { workbenchId, model, task: "add a summary.md" });
  for await (const event of client.follow(runId)) {
    if (event.type === "OutputDelta" && event.channel === "text") process.stdout.write(event.text);
    if (event.type === "ToolCallRequested") console.log(`\n[${event.name}]`);
    if (event.type === "Error") throw new Error(`${event.error.error_code}: ${event.error.message}`);
  }

  const { changes } = await client.call("review.getChangeSet", { workbenchId });
  for (const { path, change } of changes) console.log(`${change} ${path}`);
  const published = await client.call("draft.publish", { workbenchId, message: "by a program" });
  console.log(`published: ${published.status}`);

  const summary = await client.download({ workbenchId, path: "summary.md" });
  console.log(Buffer.from(await summary.arrayBuffer()).toString("utf8"));
} catch (thrown) {
  // Branch on the code, never on the message.
  const { code, message } = BenchtopError.from(thrown);
  console.error(`${code}: ${message}`);
  process.exitCode = 1;
} finally {
  await client.call("workbenches.delete", { workbenchId });
}

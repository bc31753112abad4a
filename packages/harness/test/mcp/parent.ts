/** `node parent.ts NOTES`: a process that uses an MCP server until its own input ends. */
import { join } from "node:path";
import { mcpTools } from "../../src/mcp/index.ts";

const args = [join(import.meta.dirname, "stdio-server.ts"), process.argv[2] ?? ""];
await mcpTools({ name: "ws", transport: { kind: "stdio", command: process.execPath, args } });
process.stdout.write("connected\n");
process.stdin.on("end", () => process.exit(0)).resume();

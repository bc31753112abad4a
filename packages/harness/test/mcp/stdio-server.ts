/** `node stdio-server.ts NOTES`: the workshop server as a process; it notes its pid first. */
import { appendFileSync } from "node:fs";
import { StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import { workshopServer } from "./workshop-server.ts";

const notes = process.argv[2] ?? "";
appendFileSync(notes, `pid ${process.pid}\n`);
process.stderr.write(`ready\n${"x".repeat(5000)}\n`);
await workshopServer(notes).connect(new StdioServerTransport());

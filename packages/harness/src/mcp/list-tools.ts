import { BenchtopError } from "@benchtop/protocol";
import type { McpConnection } from "./connection.ts";

/** More than any model can choose from; what is beyond is not asked for. */
const maxPages = 50;
const maxTools = 512;

/** Every tool that the server lists, page after page, as it says it: nothing of it is checked yet. */
export async function listTools(connection: McpConnection): Promise<readonly unknown[]> {
  const tools: unknown[] = [];
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (let page = 0; page < maxPages; page += 1) {
    const answer = await connection.listPage(cursor);
    tools.push(...answer.tools.slice(0, maxTools - tools.length));
    cursor = answer.nextCursor;
    if (cursor === undefined || tools.length >= maxTools) return tools;
    if (seen.has(cursor)) break;
    seen.add(cursor);
  }
  throw new BenchtopError("TOOL_FAILED", `The list of tools of the MCP server ${connection.name} does not end.`, {
    retryable: false,
    detail: { server: connection.name },
  });
}

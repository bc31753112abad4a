/** One request of any protocol, reduced to what the agent needs. */
export interface ModelRequest {
  readonly model: string;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly turns: readonly Turn[];
  readonly tools: readonly OfferedTool[];
}

export type Turn =
  | { readonly role: "system" | "user" | "assistant"; readonly text: string }
  | { readonly role: "call"; readonly callId: string; readonly name: string; readonly arguments: string }
  | { readonly role: "result"; readonly callId: string; readonly text: string };

export interface OfferedTool {
  readonly name: string;
  /** Property names of its parameters, in the schema's order. */
  readonly parameters: readonly string[];
}

/** `POST /v1/responses`. Throws on a body that is not one. */
export function parseResponses(body: string): ModelRequest {
  const request = record(JSON.parse(body));
  const turns: Turn[] = [];
  if (typeof request["instructions"] === "string") turns.push({ role: "system", text: request["instructions"] });
  const input = request["input"];
  for (const item of typeof input === "string" ? [{ role: "user", content: input }] : list(input)) {
    turns.push(...turnsOfItem(record(item)));
  }
  return {
    model: text(request["model"]),
    stream: request["stream"] === true,
    includeUsage: true,
    turns,
    tools: list(request["tools"]).map((tool) => offered(record(tool))),
  };
}

/** `POST /v1/chat/completions`. Throws on a body that is not one. */
export function parseChat(body: string): ModelRequest {
  const request = record(JSON.parse(body));
  const turns = list(request["messages"]).flatMap((message) => turnsOfMessage(record(message)));
  return {
    model: text(request["model"]),
    stream: request["stream"] === true,
    includeUsage: record(request["stream_options"] ?? {})["include_usage"] === true,
    turns,
    tools: list(request["tools"]).map((tool) => offered(record(record(tool)["function"]))),
  };
}

function turnsOfItem(item: Fields): Turn[] {
  if (item["type"] === "function_call") {
    const { call_id, name, arguments: argumentText } = item;
    return [{ role: "call", callId: text(call_id), name: text(name), arguments: text(argumentText) }];
  }
  if (item["type"] === "function_call_output") {
    return [{ role: "result", callId: text(item["call_id"]), text: textOf(item["output"]) }];
  }
  if (item["type"] === "reasoning") return [];
  return [{ role: roleOf(item["role"]), text: textOf(item["content"]) }];
}

function turnsOfMessage(message: Fields): Turn[] {
  if (message["role"] === "tool") {
    return [{ role: "result", callId: text(message["tool_call_id"]), text: textOf(message["content"]) }];
  }
  const calls = list(message["tool_calls"]).map((call): Turn => {
    const called = record(record(call)["function"]);
    return {
      role: "call",
      callId: text(record(call)["id"]),
      name: text(called["name"]),
      arguments: text(called["arguments"]),
    };
  });
  const content = textOf(message["content"]);
  if (content === "" && calls.length > 0) return calls;
  return [{ role: roleOf(message["role"]), text: content }, ...calls];
}

export function roleOf(value: unknown): "system" | "user" | "assistant" {
  if (value === "assistant" || value === "user") return value;
  if (value === "system" || value === "developer") return "system";
  throw new Error(`unknown role ${JSON.stringify(value)}`);
}

/** Content is a string, or parts with a `text` each. */
export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  return list(content)
    .map((part) => text(record(part)["text"]))
    .join("");
}

function offered(tool: Fields): OfferedTool {
  const properties = record(record(tool["parameters"] ?? {})["properties"] ?? {});
  return { name: text(tool["name"]), parameters: Object.keys(properties) };
}

export type Fields = Readonly<Record<string, unknown>>;

export function record(value: unknown): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("expected an object");
  return value as Fields;
}

export function list(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Error("expected a list");
  return value;
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

import {
  acceptedContent,
  inputRequired,
  inputResponse,
  MissingRequiredClientCapabilityError,
  type CallToolResult,
  type ContentBlock,
  type InputRequests,
  type PromptMessage,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import type { McpFeature, McpRequest, ToolAnswer } from "../../src/index.ts";

/**
 * The tools, resources and prompts that the scenarios of `@modelcontextprotocol/conformance` expect of a server, offered
 * through the seam that a program which embeds the daemon has (`DaemonOptions.mcp`). What is on the wire is ours.
 */
export const conformanceFixtures: McpFeature = {
  tools: () => Object.entries(tools).map(([name, { inputSchema }]) => ({ name, description: name, inputSchema })),
  callTool: (name, args, request) => (Object.hasOwn(tools, name) ? tools[name]?.call(args, request) : undefined),
  resources: async () => ({
    resources: ["static-text", "static-binary", "watched-resource"].map((name) => ({ name, uri: `test://${name}` })),
  }),
  resourceTemplates: () => [
    { name: "template", uriTemplate: "test://template/{id}/data", mimeType: "application/json" },
  ],
  readResource: (uri) => (readable(uri) ? Promise.resolve({ contents: [contentOf(uri)] }) : undefined),
  watchResource: (uri) => (readable(uri) ? Promise.resolve(nothing()) : undefined),
  prompts: () =>
    Object.entries(prompts).map(([name, { arguments: named = [] }]) => ({
      name,
      description: name,
      arguments: named.map((argument) => ({ name: argument, required: true })),
    })),
  getPrompt(name, args, request) {
    const prompt = Object.hasOwn(prompts, name) ? prompts[name] : undefined;
    if (prompt === undefined) return undefined;
    const messages = prompt.messages(args, request);
    return Promise.resolve(Array.isArray(messages) ? { messages } : inputRequired(messages));
  },
  complete: ({ ref }) =>
    Promise.resolve(ref.type === "ref/prompt" && Object.hasOwn(prompts, ref.name) ? ["testing", "tests"] : []),
};

interface FixtureTool {
  readonly inputSchema: { readonly type: "object"; readonly [key: string]: unknown };
  call(args: Record<string, unknown>, request: McpRequest): Promise<ToolAnswer>;
}

const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";
const silence = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=";
const image: ContentBlock = { type: "image", data: pixel, mimeType: "image/png" };
const embedded = (uri: string, text: string): ContentBlock => ({
  type: "resource",
  resource: { uri, mimeType: "text/plain", text },
});

const nameForm = form({ name: { type: "string" } });
const Name = z.object({ name: z.string() });

const tools: Readonly<Record<string, FixtureTool>> = {
  test_simple_text: answering(text("This is a simple text response for testing.")),
  test_image_content: answering(image),
  test_audio_content: answering({ type: "audio", data: silence, mimeType: "audio/wav" }),
  test_embedded_resource: answering(embedded("test://embedded-resource", "This is an embedded resource content.")),
  test_multiple_content_types: answering(
    text("Multiple content types test:"),
    image,
    embedded("test://mixed-content-resource", '{"test":"data","value":123}'),
  ),
  test_error_handling: tool(async () => ({
    isError: true,
    content: [text("This tool intentionally returns an error for testing")],
  })),
  test_tool_with_logging: tool(logThrice),
  test_logging_tool: tool(logThrice),
  test_tool_with_progress: tool(async (_, request) => {
    for (const done of [0, 50, 100]) await request.progress(done, `Completed step ${done} of 100`, 100);
    return said("done");
  }),
  test_reconnection: tool(async (_, { context }) => {
    context.http?.closeSSE?.();
    return said("The answer came although the stream was closed.");
  }),
  test_sampling: asking("sampled", ({ prompt }) => sample(String(prompt))),
  test_elicitation: asking("asked", ({ message }) => elicit(String(message), form({ response: { type: "string" } }))),
  test_streaming_elicitation: asking("asked", () => elicit("What is your name?", nameForm)),
  test_elicitation_sep1034_defaults: asking("asked", () =>
    elicit("Please review and update the form fields with defaults", {
      type: "object",
      properties: {
        name: { type: "string", default: "John Doe" },
        age: { type: "integer", default: 30 },
        score: { type: "number", default: 95.5 },
        status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
        verified: { type: "boolean", default: true },
      },
    }),
  ),
  test_elicitation_sep1330_enums: asking("asked", () =>
    elicit("Please select options from the enum fields", {
      type: "object",
      properties: {
        untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
        titledSingle: { type: "string", oneOf: titled("value", "Option") },
        legacyEnum: {
          type: "string",
          enum: ["opt1", "opt2", "opt3"],
          enumNames: ["Option One", "Option Two", "Option Three"],
        },
        untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
        titledMulti: { type: "array", items: { anyOf: titled("value", "Choice") } },
      },
    }),
  ),
  test_missing_capability: tool(async (_, { capabilities }) => {
    if (capabilities.sampling === undefined) {
      throw new MissingRequiredClientCapabilityError({ requiredCapabilities: { sampling: {} } });
    }
    return said("sampling is there");
  }),
  json_schema_2020_12_tool: {
    inputSchema: {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      type: "object",
      $defs: {
        address: {
          $anchor: "addressDef",
          type: "object",
          properties: { street: { type: "string" }, city: { type: "string" } },
        },
      },
      properties: {
        name: { type: "string" },
        address: { $ref: "#/$defs/address" },
        contactMethod: { type: "string", enum: ["phone", "email"] },
        phone: { type: "string" },
        email: { type: "string" },
      },
      allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
      if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
      then: { required: ["phone"] },
      else: { required: ["email"] },
      additionalProperties: false,
    },
    call: async () => said("ok"),
  },
  test_input_required_result_elicitation: tool(async (_, { context }) => {
    const answer = acceptedContent(context.mcpReq.inputResponses, "user_name", Name);
    if (answer !== undefined) return said(`Hello, ${answer.name}!`);
    return inputRequired({ inputRequests: { user_name: elicit("What is your name?", nameForm) } });
  }),
  test_input_required_result_sampling: asking("capital_question", () => sample("What is the capital of France?")),
  test_input_required_result_list_roots: asking("client_roots", () => inputRequired.listRoots()),
  test_input_required_result_request_state: asking("confirm", () => confirmation(), { sealed: true }),
  test_input_required_result_tampered_state: asking("confirm", () => confirmation(), { sealed: true }),
  test_input_required_result_multiple_inputs: tool(async (_, request) => {
    if (request.context.mcpReq.inputResponses !== undefined) return said("all three came");
    return inputRequired({
      inputRequests: {
        user_name: elicit("What is your name?", nameForm),
        greeting: sample("Generate a greeting"),
        client_roots: inputRequired.listRoots(),
      },
      requestState: await request.seal({ step: 1 }),
    });
  }),
  test_input_required_result_multi_round: tool(async (_, request) => {
    const step = request.context.mcpReq.requestState<{ step: number }>()?.step ?? 0;
    if (step === 2) return said("both came");
    const question = step === 0 ? "Step 1: What is your name?" : "Step 2: What is your favorite color?";
    return inputRequired({
      inputRequests: { [`step${step + 1}`]: elicit(question, nameForm) },
      requestState: await request.seal({ step: step + 1 }),
    });
  }),
  test_input_required_result_capabilities: tool(async (_, { capabilities }) => {
    const inputRequests: InputRequests = {
      ...(capabilities.sampling && { sampled: sample("Say hello") }),
      ...(capabilities.elicitation && { asked: elicit("What is your name?", nameForm) }),
    };
    return inputRequired({ inputRequests });
  }),
};

const prompts: Readonly<
  Record<
    string,
    {
      readonly arguments?: readonly string[];
      readonly messages: (
        args: Readonly<Record<string, string>>,
        request: McpRequest,
      ) => PromptMessage[] | { readonly inputRequests: InputRequests };
    }
  >
> = {
  test_simple_prompt: { messages: () => [user(text("This is a simple prompt for testing."))] },
  test_prompt_with_arguments: {
    arguments: ["arg1", "arg2"],
    messages: ({ arg1, arg2 }) => [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
  },
  test_prompt_with_embedded_resource: {
    arguments: ["resourceUri"],
    messages: ({ resourceUri = "" }) => [user(embedded(resourceUri, "Embedded resource content for testing."))],
  },
  test_prompt_with_image: { messages: () => [user(image), user(text("Please analyze the image above."))] },
  test_input_required_result_prompt: {
    messages: (_, { context }) =>
      context.mcpReq.inputResponses === undefined
        ? { inputRequests: { user_context: elicit("What context?", form({ context: { type: "string" } })) } }
        : [user(text("with context"))],
  },
};

function tool(call: FixtureTool["call"]): FixtureTool {
  return { inputSchema: { type: "object" }, call };
}

function answering(...content: ContentBlock[]): FixtureTool {
  return tool(async () => ({ content }));
}

/** Asks the client for one thing, and says what came. */
function asking(
  key: string,
  question: (args: Record<string, unknown>) => InputRequests[string],
  { sealed = false } = {},
): FixtureTool {
  return tool(async (args, request) => {
    const { inputResponses } = request.context.mcpReq;
    const answer = inputResponse(inputResponses, key);
    if (answer.kind !== "missing") return said(`state-ok ${JSON.stringify(answer)}`);
    return inputRequired({
      inputRequests: { [key]: question(args) },
      ...(sealed && { requestState: await request.seal({ asked: key }) }),
    });
  });
}

async function logThrice(_: Record<string, unknown>, { context }: McpRequest): Promise<CallToolResult> {
  for (const line of ["Tool execution started", "Tool processing data", "Tool execution completed"]) {
    await context.mcpReq.log("info", line);
  }
  return said("logged");
}

type FormSchema = Parameters<typeof inputRequired.elicit>[0]["requestedSchema"];

function elicit(message: string, requestedSchema: FormSchema): InputRequests[string] {
  return inputRequired.elicit({ message, requestedSchema });
}

function confirmation(): InputRequests[string] {
  return elicit("Please confirm", form({ ok: { type: "boolean" } }));
}

function sample(prompt: string): InputRequests[string] {
  return inputRequired.createMessage({
    messages: [{ role: "user", content: { type: "text", text: prompt } }],
    maxTokens: 100,
  });
}

function form(properties: Record<string, { type: "string" } | { type: "boolean" }>): FormSchema {
  return { type: "object", properties, required: Object.keys(properties) };
}

function titled(value: string, title: string): { const: string; title: string }[] {
  return [1, 2, 3].map((number) => ({ const: `${value}${number}`, title: `${title} ${number}` }));
}

function text(value: string): ContentBlock {
  return { type: "text", text: value };
}

function said(value: string): CallToolResult {
  return { content: [text(value)] };
}

function user(content: ContentBlock): PromptMessage {
  return { role: "user", content };
}

function readable(uri: string): boolean {
  return /^test:\/\/(?:static-text|static-binary|watched-resource|template\/[^/]+\/data)$/.test(uri);
}

function contentOf(uri: string) {
  if (uri === "test://static-binary") return { uri, mimeType: "image/png", blob: pixel };
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
  if (id === undefined)
    return { uri, mimeType: "text/plain", text: "This is the content of the static text resource." };
  return {
    uri,
    mimeType: "application/json",
    text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }),
  };
}

async function* nothing(): AsyncGenerator<never> {
  // What is watched here never changes.
}

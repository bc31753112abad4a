import {
  approval,
  destinations,
  modelGraded,
  personalDataGate,
  personalDataKinds,
  promptInjection,
  secretsGate,
  toolRules,
  type Gate,
} from "@benchtop/harness";
import { BenchtopError } from "@benchtop/protocol";
import { z } from "zod";

const mode = z.enum(["shadow", "enforcing"]);
const point = z.enum(["input", "tool-call", "tool-result", "output"]);
const textPoint = point.exclude(["tool-call"]);
const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, "must be 1 to 64 lower-case letters, digits or dashes")
  .exactOptional();
const few = 200;

const ToolRule = z.strictObject({
  tool: z.string().min(1).max(200),
  where: z
    .array(
      z.strictObject({
        path: z.string().max(500),
        glob: z.string().max(500).exactOptional(),
        regex: z.string().max(500).exactOptional(),
        as: z.literal("path").exactOptional(),
        ignoreCase: z.boolean().exactOptional(),
      }),
    )
    .max(20)
    .exactOptional(),
});
const rules = z.array(ToolRule).max(few).exactOptional();

const textOptions = {
  points: z.array(point).min(1).exactOptional(),
  action: z.enum(["redact", "deny"]).exactOptional(),
};

/** One gate of the configuration: a policy, its mode, and what that policy may be told. */
export const GateConfig = z.discriminatedUnion("policy", [
  policy("secrets", textOptions),
  policy("personal-data", { ...textOptions, kinds: z.array(z.enum(personalDataKinds)).min(1).exactOptional() }),
  policy("tools", { allow: rules, deny: rules }),
  policy("destinations", {
    allow: z.array(z.string().max(300)).max(1000),
    tools: z.array(z.string().min(1).max(200)).min(1).max(few).exactOptional(),
  }),
  policy("prompt-injection", {
    points: z.array(textPoint).min(1).exactOptional(),
    action: z.enum(["mark", "deny"]).exactOptional(),
  }),
  policy("approval", {
    tools: z.array(ToolRule).min(1).max(few).exactOptional(),
    effects: z
      .array(z.enum(["none", "draft", "external"]))
      .min(1)
      .exactOptional(),
    question: z.string().min(1).max(500).exactOptional(),
  }),
  policy("model", {
    points: z.array(point).min(1),
    forbids: z.string().min(1).max(4000),
    maxCharacters: z.int().positive().max(1_000_000).exactOptional(),
    timeoutMs: z.int().positive().max(600_000).exactOptional(),
  }),
]);
export type GateConfig = z.infer<typeof GateConfig>;

/** What holds where the configuration says nothing: what would have been redacted is recorded, and nothing is changed. */
export const defaultGates: readonly GateConfig[] = [
  { policy: "secrets", mode: "shadow", options: { points: ["input", "tool-result"] } },
];

/**
 * The gates of every prompt and agent run, in the order in which they are asked. Throws `VALIDATION_FAILED` that names the
 * entry: for a pattern or a host that is not understood, and for two gates of one name.
 */
export function gatesFromConfig(configs: readonly GateConfig[]): readonly Gate[] {
  const gates = configs.map((config, index) => {
    try {
      return gateOf(config);
    } catch (thrown) {
      const error = BenchtopError.from(thrown);
      throw new BenchtopError("VALIDATION_FAILED", `gates.${index}: ${error.message}`, {
        phase: "settings",
        cause: error,
      });
    }
  });
  for (const [index, { name }] of gates.entries()) {
    if (gates.findIndex((gate) => gate.name === name) === index) continue;
    throw new BenchtopError("VALIDATION_FAILED", `gates.${index}: there is a gate "${name}" already; give it a name.`, {
      phase: "settings",
    });
  }
  return gates;
}

function gateOf(config: GateConfig): Gate {
  const { mode, name } = config;
  const common = { mode, ...(name !== undefined && { name }) };
  switch (config.policy) {
    case "secrets":
      return secretsGate({ ...common, ...config.options });
    case "personal-data":
      return personalDataGate({ ...common, ...config.options });
    case "tools":
      return toolRules({ ...common, ...config.options });
    case "destinations":
      return destinations({ ...common, ...config.options });
    case "prompt-injection":
      return promptInjection({ ...common, ...config.options });
    case "approval":
      return approval({ ...common, ...config.options });
    default:
      return modelGraded({ mode, name: name ?? "model", ...config.options });
  }
}

/** Options may be left out where none is needed. */
function policy<const Name extends string, Shape extends z.ZodRawShape>(policy: Name, shape: Shape) {
  const options = z.strictObject(shape);
  return z.strictObject({
    policy: z.literal(policy),
    mode,
    name,
    options: z.preprocess((value) => value ?? {}, options),
  });
}

/**
 * What the Messages API takes of one model and refuses of another. It tells by no field, only by the name.
 * https://platform.claude.com/docs/en/about-claude/models/overview
 */
export interface AnthropicModel {
  /** What `max_tokens` says where nobody else does: all that the model can. */
  readonly maxOutputTokens: number;
  /** How much to think is said by `effort`, or by a number of tokens. */
  readonly thinking: "effort" | "budget" | "none";
  readonly takesTemperature: boolean;
  /** `output_config.format` guarantees the form of the answer. */
  readonly takesSchema: boolean;
}

export function anthropicModel(modelId: string): AnthropicModel {
  return older.find(([pattern]) => pattern.test(modelId))?.[1] ?? (modelId.includes("claude") ? current : foreign);
}

const current: AnthropicModel = {
  maxOutputTokens: 128_000,
  thinking: "effort",
  takesTemperature: false,
  takesSchema: true,
};

/** Models of others, on servers that speak the protocol. A limit above their context would be refused. */
const foreign: AnthropicModel = { ...current, maxOutputTokens: 8192, takesTemperature: true };

const older: readonly (readonly [RegExp, AnthropicModel])[] = [
  [/claude-(opus|sonnet)-4-6/, { ...current, takesTemperature: true }],
  [
    /claude-(opus|sonnet|haiku)-4-5/,
    { maxOutputTokens: 64_000, thinking: "budget", takesTemperature: true, takesSchema: true },
  ],
  [/claude-opus-4-1/, { maxOutputTokens: 32_000, thinking: "budget", takesTemperature: true, takesSchema: true }],
  [
    /claude-opus-4($|[-@](0|20))/,
    { maxOutputTokens: 32_000, thinking: "budget", takesTemperature: true, takesSchema: false },
  ],
  [
    /claude-(sonnet-4($|[-@](0|20))|3-7-sonnet)/,
    { maxOutputTokens: 64_000, thinking: "budget", takesTemperature: true, takesSchema: false },
  ],
  [/claude-(3|2|instant)/, { maxOutputTokens: 4096, thinking: "none", takesTemperature: true, takesSchema: false }],
];

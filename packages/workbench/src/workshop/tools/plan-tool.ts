import type { Tool } from "@benchtop/harness";
import { inputSchema, schemaObject } from "./schema-object.ts";

/** Where an agent writes down what it is going to do. It does nothing: what is planned is in the journal, where people read it. */
export const planTool: Tool = {
  name: "plan",
  description: "Tells the person your plan before you change anything, and how far you are. Give all steps each time.",
  inputSchema: inputSchema(
    {
      steps: {
        type: "array",
        minItems: 1,
        maxItems: 50,
        items: schemaObject(
          {
            step: { type: "string", minLength: 1, maxLength: 500 },
            status: { type: "string", enum: ["planned", "doing", "done", "dropped"] },
          },
          "step",
          "status",
        ),
      },
    },
    "steps",
  ),
  effects: "none",
  idempotent: true,
  execute: async () => ({ content: "The person sees your plan." }),
};

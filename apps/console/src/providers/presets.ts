import type { ProviderKind } from "@benchtop/operations";
import { Cloud, HardDrive, Server } from "lucide-react";

/** The ways to reach a model, as a person would name them. */
export interface Preset {
  readonly id: "openai" | "anthropic" | "compatible" | "local";
  readonly title: string;
  readonly summary: string;
  readonly icon: typeof Cloud;
  readonly name: string;
  readonly kind: ProviderKind;
  readonly baseUrl: string;
  readonly local: boolean;
  readonly key: "required" | "optional";
}

/** Protocols as a person would name them. */
export const kindNames: Readonly<Record<ProviderKind, string>> = {
  "openai-chat": "Chat completions",
  "openai-responses": "Responses",
  "anthropic-messages": "Messages",
};

export const presets: readonly Preset[] = [
  {
    id: "openai",
    title: "OpenAI",
    summary: "With an API key of platform.openai.com.",
    icon: Cloud,
    name: "openai",
    kind: "openai-responses",
    baseUrl: "https://api.openai.com/v1",
    local: false,
    key: "required",
  },
  {
    id: "anthropic",
    title: "Anthropic",
    summary: "With an API key of platform.claude.com.",
    icon: Cloud,
    name: "anthropic",
    kind: "anthropic-messages",
    baseUrl: "https://api.anthropic.com/v1",
    local: false,
    key: "required",
  },
  {
    id: "compatible",
    title: "Compatible",
    summary: "Any gateway or server that speaks a protocol of these, over HTTPS.",
    icon: Server,
    name: "gateway",
    kind: "openai-chat",
    baseUrl: "https://",
    local: false,
    key: "optional",
  },
  {
    id: "local",
    title: "On this machine",
    summary: "Ollama, llama-server, vLLM or LM Studio on loopback. Nothing leaves.",
    icon: HardDrive,
    name: "local",
    kind: "openai-chat",
    baseUrl: "http://127.0.0.1:11434/v1",
    local: true,
    key: "optional",
  },
];

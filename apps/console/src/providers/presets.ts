import type { ProviderKind } from "@benchtop/operations";
import { Cloud, HardDrive, Server } from "lucide-react";

/** The three ways to reach a model, as a person would name them. */
export interface Preset {
  readonly id: "openai" | "compatible" | "local";
  readonly title: string;
  readonly summary: string;
  readonly icon: typeof Cloud;
  readonly name: string;
  readonly kind: ProviderKind;
  readonly baseUrl: string;
  readonly local: boolean;
  readonly key: "required" | "optional";
}

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
    id: "compatible",
    title: "OpenAI-compatible",
    summary: "Any gateway or server that speaks the same protocol, over HTTPS.",
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

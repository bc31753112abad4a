import type { CatalogueProvider, ProviderKind } from "@benchtop/operations";
import { Cloud, HardDrive, Server } from "lucide-react";

/** A way to reach a model, as a person would name it. */
export interface Preset {
  readonly id: string;
  readonly title: string;
  readonly summary: string;
  readonly icon: typeof Cloud;
  readonly name: string;
  readonly kind: ProviderKind;
  /** A `{part}` of it is the person's own. */
  readonly baseUrl: string;
  readonly local: boolean;
  readonly key: "required" | "optional";
  /** Of the catalogue: the daemon knows the rest. */
  readonly known: boolean;
}

/** Protocols as a person would name them. */
export const kindNames: Readonly<Record<ProviderKind, string>> = {
  "openai-chat": "Chat completions",
  "openai-responses": "Responses",
  "anthropic-messages": "Messages",
  ollama: "Ollama",
  vllm: "vLLM",
  "llama-server": "llama-server",
  "lm-studio": "LM Studio",
  rest: "REST, as mapped",
};

/** What is known of a provider, as a way to reach it. */
export function presetOf({ id, displayName, kind, baseUrl, local, auth }: CatalogueProvider): Preset {
  const keysAt = auth.keyUrl === undefined ? undefined : new URL(auth.keyUrl).host;
  return {
    id,
    title: displayName,
    summary: local
      ? "On loopback. Nothing leaves."
      : keysAt === undefined
        ? "With an API key."
        : `With an API key of ${keysAt}.`,
    icon: local ? HardDrive : Cloud,
    name: id,
    kind,
    baseUrl,
    local,
    key: local || auth.scheme === "none" ? "optional" : "required",
    known: true,
  };
}

/** Those that most people want stand first; each of the others is a click away. */
export const featured: readonly string[] = ["openai", "anthropic"];

/** For what nobody has described. */
export const anyOther: readonly Preset[] = [
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
    known: false,
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
    known: false,
  },
];

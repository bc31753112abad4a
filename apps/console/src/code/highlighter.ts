import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import dockerfile from "highlight.js/lib/languages/dockerfile";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import markdown from "highlight.js/lib/languages/markdown";
import python from "highlight.js/lib/languages/python";
import ruby from "highlight.js/lib/languages/ruby";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";
import type { Token } from "./tokens.ts";

/** The part of syntax colouring that is worth a chunk of its own; loaded when the first code is shown. */
const lowlight = createLowlight({
  bash,
  c,
  cpp,
  css,
  diff,
  dockerfile,
  go,
  ini,
  java,
  javascript,
  json,
  markdown,
  python,
  ruby,
  rust,
  sql,
  typescript,
  xml,
  yaml,
});

interface Node {
  readonly type: string;
  readonly value?: string;
  readonly properties?: { readonly className?: unknown };
  readonly children?: readonly Node[];
}

/** The tokens of each line. */
export function highlightLines(text: string, language: string): Token[][] {
  const lines: Token[][] = [[]];
  const walk = (node: Node, style: string | undefined): void => {
    if (node.type === "text") {
      const pieces = (node.value ?? "").split("\n");
      for (const [index, piece] of pieces.entries()) {
        if (index > 0) lines.push([]);
        if (piece !== "") lines.at(-1)?.push(style === undefined ? { text: piece } : { text: piece, style });
      }
      return;
    }
    const names = node.properties?.className;
    const own = Array.isArray(names) && typeof names[0] === "string" ? names[0].replace(/^hljs-/, "syntax-") : style;
    for (const child of node.children ?? []) walk(child, own);
  };
  walk(lowlight.highlight(language, text), undefined);
  return lines;
}

import { useEffect, useState } from "react";

/** A run of characters in one colour; `style` is a class name such as `syntax-string`. */
export interface Token {
  readonly text: string;
  readonly style?: string;
}

const languages: Readonly<Record<string, string>> = {
  sh: "bash",
  bash: "bash",
  zsh: "bash",
  c: "c",
  h: "c",
  cc: "cpp",
  cpp: "cpp",
  hpp: "cpp",
  css: "css",
  scss: "css",
  diff: "diff",
  patch: "diff",
  dockerfile: "dockerfile",
  go: "go",
  ini: "ini",
  toml: "ini",
  conf: "ini",
  env: "ini",
  java: "java",
  kt: "java",
  js: "javascript",
  jsx: "javascript",
  mjs: "javascript",
  cjs: "javascript",
  json: "json",
  jsonl: "json",
  ipynb: "json",
  md: "markdown",
  markdown: "markdown",
  py: "python",
  rb: "ruby",
  rs: "rust",
  sql: "sql",
  ts: "typescript",
  tsx: "typescript",
  mts: "typescript",
  html: "xml",
  xml: "xml",
  svg: "xml",
  vue: "xml",
  yml: "yaml",
  yaml: "yaml",
};

export function languageOf(path: string): string | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  return languages[name.slice(name.lastIndexOf(".") + 1)];
}

/** Above this many characters plain text is shown: colouring would hold up the page. */
const longest = 400_000;

/** The coloured lines of a text, or undefined while the highlighter loads or where there is nothing to colour. */
export function useHighlighted(text: string | undefined, path: string): readonly Token[][] | undefined {
  const [lines, setLines] = useState<{ text: string; path: string; lines: Token[][] }>();
  const language = languageOf(path);
  useEffect(() => {
    if (text === undefined || language === undefined || text.length > longest) return undefined;
    let current = true;
    const colour = async () => {
      const { highlightLines } = await import("./highlighter.ts");
      if (current) setLines({ text, path, lines: highlightLines(text, language) });
    };
    void colour();
    return () => {
      current = false;
    };
  }, [text, path, language]);
  return lines?.text === text && lines?.path === path ? lines.lines : undefined;
}

import { memo, useMemo } from "react";
import ReactMarkdown, { type Components } from "react-markdown";
import remarkGfm from "remark-gfm";
import { splitMarkdown } from "./split-markdown.ts";

/**
 * Markdown of a model: untrusted. Raw HTML stays text, images are named and never loaded, links open elsewhere without
 * telling from where. While it streams, only the paragraph that grows is parsed again.
 */
export function Markdown(props: { readonly text: string }) {
  const parts = useMemo(() => splitMarkdown(props.text), [props.text]);
  return (
    <div className="prose break-words">
      {parts.map((part, index) => (
        <Part key={index} text={part} />
      ))}
    </div>
  );
}

const Part = memo(function Part(props: { readonly text: string }) {
  return (
    <div className="prose">
      <ReactMarkdown remarkPlugins={plugins} components={components}>
        {props.text}
      </ReactMarkdown>
    </div>
  );
});

const plugins = [remarkGfm];

const components: Components = {
  a: ({ children, href }) => (
    <a href={href} target="_blank" rel="noreferrer noopener">
      {children}
    </a>
  ),
  img: ({ alt, src }) => (
    <span className="rounded-sm border border-line px-1 text-muted">
      Image{alt === undefined || alt === "" ? "" : `: ${alt}`} ({typeof src === "string" ? src : "no address"})
    </span>
  ),
  h1: ({ children }) => <h3>{children}</h3>,
  h2: ({ children }) => <h3>{children}</h3>,
  h3: ({ children }) => <h4>{children}</h4>,
  pre: ({ children }) => <pre tabIndex={0}>{children}</pre>,
  input: ({ checked }) => <span>{checked ? "☑ " : "☐ "}</span>,
};

import { classes } from "../components/classes.ts";

const colours: Readonly<Record<string, string>> = {
  GET: "text-good",
  POST: "text-accent-ink",
  PUT: "text-draft",
  PATCH: "text-draft",
  DELETE: "text-bad",
};

/** An HTTP method; the colour repeats the word. */
export function Method(props: { readonly method: string; readonly className?: string }) {
  return (
    <span className={classes("font-mono text-xs font-semibold", colours[props.method], props.className)}>
      {props.method === "DELETE" ? "DEL" : props.method}
    </span>
  );
}

import { ShownOnce } from "../components/shown-once.tsx";

/** The one time that a key is seen, and how it is used. */
export function NewKey(props: { readonly secret: string }) {
  return (
    <>
      <ShownOnce takesFocus label="API key" secret={props.secret} />
      <p className="mt-3 mb-1 text-sm font-medium text-muted">To try it</p>
      <pre
        tabIndex={0}
        aria-label="How to use the key"
        className="overflow-x-auto rounded-lg border border-line bg-sunken p-2.5 text-xs"
      >{`export BENCHTOP_TOKEN=…\ncurl -H "Authorization: Bearer $BENCHTOP_TOKEN" ${location.origin}/api/v1/whoami`}</pre>
    </>
  );
}

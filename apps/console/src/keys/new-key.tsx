import { Button } from "../components/button.tsx";
import { Dialog } from "../components/dialog.tsx";
import { ShownOnce } from "../components/shown-once.tsx";

/** The one time that a key is seen. It stays until somebody says that they have it. */
export function NewKey(props: { readonly name: string; readonly secret: string; readonly onClose: () => void }) {
  return (
    <Dialog
      open
      staysOpen
      onClose={props.onClose}
      title={`The key ${props.name}`}
      description="It is shown this once. Benchtop keeps only a fingerprint of it and cannot show it again."
      footer={
        <Button tone="primary" onClick={props.onClose}>
          I have stored it
        </Button>
      }
    >
      <ShownOnce label="API key" secret={props.secret} />
      <p className="mt-3 mb-1 text-sm font-medium text-muted">To try it</p>
      <pre
        tabIndex={0}
        aria-label="How to use the key"
        className="overflow-x-auto rounded-lg border border-line bg-sunken p-2.5 text-xs"
      >{`export BENCHTOP_TOKEN=…\ncurl -H "Authorization: Bearer $BENCHTOP_TOKEN" ${location.origin}/api/v1/whoami`}</pre>
    </Dialog>
  );
}

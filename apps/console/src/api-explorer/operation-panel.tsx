import type { Json } from "@benchtop/protocol";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowLeft, Lock, LockOpen, Play, Radio, Square, TriangleAlert } from "lucide-react";
import { useEffect, useId, useMemo, useRef, useState } from "react";
import { failureOf, type Failure } from "../api/client.ts";
import { Button } from "../components/button.tsx";
import { Chip } from "../components/chip.tsx";
import { classes } from "../components/classes.ts";
import { ErrorNotice } from "../components/error-notice.tsx";
import { formatBytes } from "../components/format.ts";
import { Segmented } from "../components/segmented.tsx";
import { useMedia } from "../components/use-media.ts";
import { denial, whoami } from "../identity/identity.ts";
import type { ApiDocument, ApiOperation } from "./document.ts";
import { EventView } from "./event-view.tsx";
import { JsonField } from "./json-field.tsx";
import { Method } from "./method.tsx";
import { isChange, missingFields, type Input } from "./request.ts";
import { ResponseView } from "./response-view.tsx";
import { SchemaField } from "./schema-field.tsx";
import { send, type ApiResponse } from "./send.ts";
import { Snippets } from "./snippets.tsx";
import { useStream } from "./use-stream.ts";

/** What was filled in stays while the console is open, so that one can go and look up an id. */
const filledIn = new Map<string, Input>();

/** One operation: what it does, a form for its input, and what came back. */
export function OperationPanel(props: { readonly document: ApiDocument; readonly operation: ApiOperation }) {
  const { document, operation } = props;
  const [input, setInput] = useState<Input>(() => filledIn.get(operation.id) ?? {});
  const [asJson, setAsJson] = useState(false);
  const [file, setFile] = useState<File>();
  const [response, setResponse] = useState<ApiResponse>();
  const [failure, setFailure] = useState<Failure>();
  const [sending, setSending] = useState<AbortController>();
  const stream = useStream(operation);
  const jsonId = useId();
  const fileId = useId();
  useEffect(() => void filledIn.set(operation.id, input), [operation.id, input]);
  const answer = useRef<HTMLElement>(null);
  const beside = useMedia("(min-width: 1180px)");
  const arrived = response !== undefined || failure !== undefined || stream.state !== "idle";
  useEffect(() => {
    // It lies below the form where there is no room beside it.
    if (arrived && !beside) answer.current?.scrollIntoView({ block: "nearest" });
  }, [arrived, beside]);
  const leaving = useRef<AbortController>(undefined);
  useEffect(() => {
    leaving.current = sending;
  }, [sending]);
  useEffect(() => () => leaving.current?.abort(), []);

  const gate = useGate(operation, input, file);
  const submit = async () => {
    if (gate !== undefined || sending !== undefined) return;
    setFailure(undefined);
    setResponse(undefined);
    if (operation.transfer === "stream") return stream.start(input);
    const abort = new AbortController();
    setSending(abort);
    try {
      const idempotencyKey = isChange(operation) && operation.permission !== "public" ? crypto.randomUUID() : undefined;
      setResponse(await send(operation, input, { file, idempotencyKey, signal: abort.signal }));
    } catch (thrown) {
      setFailure(failureOf(thrown));
    } finally {
      setSending(undefined);
    }
  };
  const set = (name: string, value: Json | undefined) =>
    setInput(({ [name]: _replaced, ...rest }) => (value === undefined ? rest : { ...rest, [name]: value }));

  return (
    <div className="mx-auto flex max-w-300 flex-col gap-5 p-4 sm:p-5">
      <Heading operation={operation} />
      <div className="grid min-w-0 gap-6 lg:grid-cols-2">
        <form
          className="flex min-w-0 flex-col gap-4"
          onSubmit={(event) => {
            event.preventDefault();
            // A change is made by its button alone, never by Enter in a field.
            if (!isChange(operation)) void submit();
          }}
        >
          {operation.fields.length > 0 && (
            <div className="flex items-center justify-between">
              <h3 className="font-semibold">Input</h3>
              <Segmented
                label="How the input is written"
                value={asJson ? "json" : "form"}
                onChange={(value) => setAsJson(value === "json")}
                options={[
                  { value: "form", label: "Form" },
                  { value: "json", label: "JSON" },
                ]}
              />
            </div>
          )}
          {asJson && operation.fields.length > 0 ? (
            <div>
              <label htmlFor={jsonId} className="sr-only">
                Input as JSON
              </label>
              <JsonField
                id={jsonId}
                rows={14}
                value={input}
                onChange={(value) => {
                  if (value === undefined) setInput({});
                  else if (typeof value === "object" && value !== null && !Array.isArray(value)) setInput(value);
                }}
              />
            </div>
          ) : (
            operation.fields.map(({ name, schema, required }) => (
              <SchemaField
                key={name}
                name={name}
                schema={schema}
                schemas={document.schemas}
                required={required}
                value={input[name]}
                onChange={(value) => set(name, value)}
              />
            ))
          )}
          {operation.transfer === "upload" && (
            <div>
              <label htmlFor={fileId} className="mb-1 block text-sm font-medium">
                The bytes {file !== undefined && <span className="text-faint">({formatBytes(file.size)})</span>}
              </label>
              <input
                id={fileId}
                type="file"
                className="text-sm text-muted"
                onChange={(event) => setFile(event.target.files?.[0])}
              />
            </div>
          )}
          {operation.fields.length === 0 && operation.transfer !== "upload" && (
            <p className="text-muted">It takes no input.</p>
          )}
          <SendBar
            operation={operation}
            gate={gate}
            busy={sending !== undefined}
            streaming={stream.state === "open"}
            onSend={() => void submit()}
            onStop={() => (sending === undefined ? stream.stop() : sending.abort())}
          />
        </form>
        <div className="flex min-w-0 flex-col gap-6">
          <section ref={answer} aria-label="Response" aria-live="polite" className="flex min-w-0 flex-col gap-3">
            <h3 className="flex h-7 items-center font-semibold">Response</h3>
            {failure !== undefined && <ErrorNotice failure={failure} handlers={{ retry: submit }} />}
            {operation.transfer === "stream" && stream.state !== "idle" ? (
              <EventView stream={stream} />
            ) : response === undefined ? (
              failure === undefined && <Expected operation={operation} />
            ) : (
              <ResponseView response={response} />
            )}
          </section>
          <Snippets operation={operation} input={input} />
        </div>
      </div>
    </div>
  );
}

function Heading(props: { readonly operation: ApiOperation }) {
  const { operation } = props;
  const identity = useQuery(whoami).data;
  const may =
    operation.permission === "public" || identity?.permissions.some((each) => each === operation.permission) === true;
  return (
    <div>
      <Link
        to="/api"
        search={{}}
        className="mb-3 inline-flex items-center gap-1.5 rounded-sm text-sm text-muted hover:text-ink md:hidden"
      >
        <ArrowLeft size={13} aria-hidden /> Every operation
      </Link>
      <div className="flex flex-wrap items-center gap-x-2.5 gap-y-1.5">
        <h2 className="text-xl font-semibold tracking-tight break-all">{operation.id}</h2>
        <Chip
          tone={may ? "neutral" : "draft"}
          icon={may ? <LockOpen size={11} aria-hidden /> : <Lock size={11} aria-hidden />}
        >
          <span className="sr-only">Permission: </span>
          {operation.permission}
          {!may && ", not yours"}
        </Chip>
        {operation.transfer === "stream" && (
          <Chip tone="accent" icon={<Radio size={11} aria-hidden />}>
            Stream
          </Chip>
        )}
      </div>
      <p className="mt-1 max-w-180">
        {operation.summary.split("`").map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}
      </p>
      <p className="mt-1.5 flex flex-wrap items-baseline gap-x-2 text-sm text-muted">
        <Method method={operation.method} />
        <code className="break-all">{operation.path}</code>
        <span className="text-faint">
          · JSON-RPC and gRPC <code>{operation.rpc}</code>
        </span>
      </p>
    </div>
  );
}

/** Why it cannot be sent now. */
function useGate(operation: ApiOperation, input: Input, file: File | undefined): string | undefined {
  const identity = useQuery(whoami).data;
  const missing = useMemo(() => missingFields(operation, input), [operation, input]);
  const permission = identity?.permissions.find((each) => each === operation.permission);
  if (operation.permission !== "public" && permission === undefined && identity !== undefined) {
    return denial(identity, operation.permission as Parameters<typeof denial>[1]);
  }
  if (missing.length > 0) return `Fill in ${missing.join(", ")} first.`;
  return operation.transfer === "upload" && file === undefined ? "Choose a file first." : undefined;
}

/** In sight however long the form is. */
const bar = "sticky bottom-0 z-10";

function SendBar(props: {
  readonly operation: ApiOperation;
  readonly gate: string | undefined;
  readonly busy: boolean;
  readonly streaming: boolean;
  readonly onSend: () => void;
  readonly onStop: () => void;
}) {
  const { operation, gate, busy, streaming } = props;
  const identity = useQuery(whoami).data;
  const stop = (
    <Button icon={<Square size={11} aria-hidden fill="currentColor" />} onClick={props.onStop}>
      Stop
    </Button>
  );
  if (!isChange(operation)) {
    return (
      <div className={classes(bar, "flex flex-wrap items-center gap-2 border-t border-line bg-surface py-3")}>
        {streaming ? (
          stop
        ) : (
          <Button
            type="submit"
            tone="primary"
            busy={busy}
            disabledReason={gate}
            icon={<Play size={12} aria-hidden fill="currentColor" />}
          >
            {operation.transfer === "stream" ? "Follow" : "Send"}
          </Button>
        )}
        {busy && stop}
        <p className="text-sm text-muted">{gate ?? "It reads and changes nothing."}</p>
      </div>
    );
  }
  const deletes = operation.method === "DELETE";
  return (
    <div className={classes(bar, "rounded-lg border border-draft-line bg-draft-soft px-3.5 py-3 shadow-raised")}>
      <p className="flex gap-2">
        <TriangleAlert size={15} aria-hidden className="mt-0.5 shrink-0 text-draft" />
        <span>
          <span className="font-medium">This is not a rehearsal.</span> {operation.id} is carried out
          {identity !== undefined && ` as ${identity.displayName} in ${identity.workspaceName}`}
          {deletes ? ", and what it removes is gone." : "."}
        </span>
      </p>
      <div className="mt-2.5 flex flex-wrap items-center gap-2">
        <Button tone={deletes ? "danger" : "primary"} busy={busy} disabledReason={gate} onClick={props.onSend}>
          {operation.method} {operation.id}
        </Button>
        {busy && stop}
        {gate !== undefined && <p className="text-sm text-muted">{gate}</p>}
      </div>
    </div>
  );
}

/** Before anything was sent: what may come back. */
function Expected(props: { readonly operation: ApiOperation }) {
  return (
    <div className="rounded-lg border border-dashed border-line-strong p-4 text-sm text-muted">
      <p>Nothing was sent yet. Beside success it may answer:</p>
      <ul className="mt-2 flex flex-col gap-1">
        {props.operation.failures.map(({ status, codes }) => (
          <li key={status} className="flex gap-3">
            <span className="tabular font-mono text-xs leading-5 text-ink">{status}</span>
            <span className="font-mono text-xs leading-5 break-words">{codes}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

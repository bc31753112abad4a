import type { Operation, OperationId } from "@benchtop/operations";

/**
 * What an AI that drives Benchtop may do with an operation. Nothing that an AI writes is real until a person says so, and that
 * holds for the one at the other end of MCP, too.
 */
export type Offer =
  /** Changes nothing. */
  | { readonly kind: "read"; readonly asksModels?: true }
  /** Works in Drafts and runs. No published file changes, and nothing is lost. */
  | { readonly kind: "draft"; readonly asksModels?: true; readonly idempotent?: true; readonly tool?: "run-agent" }
  /** Runs only after the person at the client was told exactly what will happen, and confirmed it. */
  | {
      readonly kind: "gated";
      readonly asksModels?: true;
      /** What a person types where the client cannot ask them. */
      readonly instead: (input: Fields) => string;
      /** With such an input it changes nothing, and nobody is asked. */
      readonly unless?: (input: Fields) => boolean;
    }
  | { readonly kind: "none"; readonly why: string };
export type Fields = Readonly<Record<string, unknown>>;

const read = { kind: "read" } as const;
const draft = { kind: "draft" } as const;
const none = (why: string) => ({ kind: "none", why }) as const;
const gated = (instead: (input: Fields) => string) => ({ kind: "gated", instead }) as const;

const signIn = none("Signing in is a person's, in a browser.");
const access = none(
  "Who may do what is decided by people: in the console, or with `benchtop members` and `benchtop keys`.",
);
const bytes = none("Raw bytes do not pass through a model; text and images are read with files_read and as resources.");
const machine = none("Models of the machine are the operator's to install, make and limit: `benchtop models`.");
const host = none("Folders of the daemon's own machine are for the command line (`benchtop workbench`).");

const bench = ({ workbenchId }: Fields): string => word(workbenchId);
const run = ({ runId }: Fields): string => word(runId);

/** Every operation has its place here; a new one does not compile without. */
export const offers: { readonly [Id in OperationId]: Offer } = {
  "system.health": none("A probe for load balancers."),
  "system.ready": none("A probe for load balancers."),
  "system.status": read,

  "signIn.methods": signIn,
  "signIn.create": signIn,
  "signIn.startOidc": signIn,
  "signIn.finishOidc": signIn,
  "signIn.createLink": signIn,
  "signIn.end": signIn,
  "signIns.list": signIn,
  "signIns.revoke": signIn,
  "identity.whoami": read,
  "workspaces.list": access,
  "workspaces.create": access,
  "workspaces.rename": access,
  "workspaces.delete": access,
  "workspaces.switch": access,
  "members.list": access,
  "members.setRole": access,
  "members.remove": access,
  "members.createLink": access,
  "invitations.create": access,
  "invitations.list": access,
  "invitations.revoke": access,
  "invitations.look": access,
  "invitations.accept": access,
  "keys.list": access,
  "keys.create": access,
  "keys.revoke": access,
  "audit.list": access,

  "providers.list": read,
  "providers.catalogue": read,
  "providers.add": none("A provider's key and host are the operator's: `benchtop providers add`."),
  "providers.test": { ...draft, idempotent: true, asksModels: true },
  "providers.status": { ...read, asksModels: true },
  "providers.loadModel": { ...draft, idempotent: true, asksModels: true },
  "providers.unloadModel": { ...draft, idempotent: true, asksModels: true },
  "providers.remove": none("A provider's key and host are the operator's: `benchtop providers remove`."),
  "models.list": { ...read, asksModels: true },

  "localModels.list": read,
  "localModels.get": read,
  "localModels.choices": machine,
  "localModels.install": machine,
  "localModels.remove": machine,
  "localModels.pin": machine,
  "localModels.verify": machine,
  "localModels.export": machine,
  "localModels.import": machine,
  "localModels.settings": read,
  "localModels.configure": machine,
  "localModels.quantize": machine,
  "localModels.train": machine,
  "localModels.resumeTraining": machine,
  "modelDownloads.list": read,
  "modelDownloads.pause": machine,
  "modelDownloads.resume": machine,
  "modelDownloads.cancel": machine,
  "modelRuntimes.status": read,
  "modelRuntimes.load": { ...draft, idempotent: true },
  "modelRuntimes.unload": { ...draft, idempotent: true },
  "embeddings.create": none("Vectors are for programs; a model has no use for them."),

  "runs.start": { ...draft, asksModels: true },
  "runs.chat": none("For programs that keep a conversation and execute tools by themselves; runs_start asks a model."),
  "runs.list": read,
  "runs.get": read,
  "runs.events": none(
    "A stream: workshop_run_agent tells of it as progress, and runs_event_page and the resource read it.",
  ),
  "runs.eventPage": read,
  "runs.artifact": bytes,
  "runs.abort": { ...draft, idempotent: true },
  "runs.hint": draft,
  "runs.resume": { ...gated((input) => `benchtop runs resume ${run(input)} --approve|--deny`), asksModels: true },
  "runs.replay": draft,
  "runs.fork": { ...draft, asksModels: true },
  "runs.undo": gated((input) => `benchtop runs undo ${run(input)}`),
  "runs.checkpoints": read,
  "runs.saveCheckpoint": draft,
  "runs.removeCheckpoint": gated((input) => `benchtop runs checkpoint remove ${run(input)} ${word(input["name"])}`),
  "runs.verify": read,
  "runs.delete": gated((input) => `benchtop runs delete ${run(input)}`),
  "runs.prune": {
    ...gated((input) => `benchtop runs prune --before ${word(input["before"])}`),
    unless: ({ dryRun }) => dryRun === true,
  },

  "conversations.list": read,
  "conversations.get": read,
  "conversations.delete": gated((input) => `benchtop conversations delete ${word(input["sessionId"])}`),

  "workbenches.create": draft,
  "workbenches.list": read,
  "workbenches.open": read,
  "workbenches.rename": gated((input) => `benchtop workbench rename ${bench(input)} ${word(input["name"])}`),
  "workbenches.delete": gated((input) => `benchtop workbench delete ${bench(input)}`),
  "files.list": read,
  "files.upload": bytes,
  "files.add": gated((input) => `benchtop workbench add ${bench(input)} FILE`),
  "files.addFromHost": host,
  "files.remove": gated((input) => `benchtop workbench remove ${bench(input)} PATH`),
  "files.extract": host,
  "files.origins": host,
  "files.writeBack": host,
  "files.read": read,
  "outsideChanges.list": read,
  "outsideChanges.resolve": gated(
    (input) => `benchtop workbench ${input["strategy"] === "revert" ? "revert" : "adopt"} ${bench(input)}`,
  ),

  "draft.getState": read,
  "review.getChangeSet": read,
  "review.getTextDiff": read,
  "review.getDocumentDiff": read,
  "review.getPage": bytes,
  // Accepted means that a person has looked; an AI cannot say so for them.
  "draft.decide": gated((input) => `benchtop draft ${deciding(input)} ${bench(input)} PATH`),
  "draft.edit": none(
    "What a person changes by hand is theirs; an agent of the workbench writes with workshop_run_agent.",
  ),
  "draft.confirmDeletions": gated((input) => `benchtop draft confirm ${bench(input)} PATH`),
  "draft.publish": gated((input) => `benchtop draft publish ${bench(input)}`),
  "draft.discard": gated((input) => `benchtop draft discard ${bench(input)}`),
  "checkpoints.list": read,
  "checkpoints.create": draft,
  "checkpoints.remove": gated((input) => `benchtop checkpoints remove ${bench(input)} ${word(input["checkpointId"])}`),
  "checkpoints.restore": gated((input) => `benchtop checkpoints restore ${bench(input)}`),

  "workshop.runAgent": { ...draft, asksModels: true, tool: "run-agent" },
  "workshop.sendUserMessage": { ...draft, asksModels: true },
  "workshop.regenerate": {
    ...gated((input) => `benchtop workshop regenerate ${bench(input)}`),
    asksModels: true,
  },
  "workshop.undoToMessage": gated((input) => `benchtop workshop undo ${bench(input)} ${run(input)}`),
  "workshop.switchModel": { ...draft, idempotent: true },
  "workshop.context": read,
  "workshop.exportConversation": bytes,
  "workshop.conversation": read,
  "egress.consentStatus": read,
  "egress.grantConsent": none(
    "What may leave the machine is agreed to by a person: in the console, or with `--consent`.",
  ),
  "egress.revokeConsent": gated((input) => `benchtop consent revoke ${bench(input)}`),
  "egress.listEvents": read,
  "egressExceptions.list": read,
  "egressExceptions.approve": none(
    "Hosts of the local network are the operator's to approve: `benchtop network approve`.",
  ),
  "egressExceptions.revoke": none(
    "Hosts of the local network are the operator's to approve: `benchtop network revoke`.",
  ),

  "contextItems.list": read,
  "contextItems.put": gated((input) => `benchtop workshop set-item ${bench(input)} ${word(input["title"])} -`),
  "contextItems.remove": gated((input) => `benchtop workshop remove-item ${bench(input)} ${word(input["itemId"])}`),

  "memory.set": gated((input) => `benchtop memory ${input["enabled"] === true ? "on" : "off"} ${bench(input)}`),
  "memory.list": read,
  "memory.forget": gated((input) => `benchtop memory forget ${bench(input)} ${word(input["memoryId"])}`),
  "memory.clear": gated((input) => `benchtop memory forget ${bench(input)}`),

  "evals.run": { ...draft, asksModels: true },
  "evals.list": read,
  "evals.get": read,
  "evals.report": bytes,
  "evals.compare": read,

  "failures.list": read,
  "failures.get": read,
};

/** Operations of a program that embeds the daemon have no place above: those that change something ask a person. */
export function offerOf(operation: Operation): Offer {
  if (Object.hasOwn(offers, operation.id)) return offers[operation.id as OperationId];
  if (operation.transfer === "stream" || operation.transfer === "upload") return bytes;
  return operation.method === "GET" ? read : gated(() => `benchtop call ${operation.id}`);
}

function deciding({ decisions }: Fields): string {
  const [first] = Array.isArray(decisions) ? (decisions as readonly Fields[]) : [];
  return first?.["decision"] === "reject" ? "reject" : "accept";
}

/** A word as a shell takes it, for commands that are shown to be typed. */
function word(value: unknown): string {
  const text = typeof value === "string" ? value : "…";
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

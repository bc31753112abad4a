import type { InputOf, OperationId, Operations } from "@benchtop/operations";

/** What a workspace holds that is tried to be reached: ids and names of things of its own. */
export interface Belongings {
  readonly workspaceId: string;
  readonly workbenchId: string;
  readonly runId: string;
  readonly evalRunId: string;
  readonly checkpointId: string;
  readonly sessionId: string;
  /** A provider that only this workspace has. */
  readonly provider: string;
  /** A blob that was uploaded in this workspace. */
  readonly sha256: string;
  readonly memberId: string;
  readonly keyId: string;
  readonly invitationId: string;
  readonly signInId: string;
}

type Example<Id extends OperationId> = {
  readonly input: (of: Belongings) => InputOf<Operations[Id]>;
  /**
   * `theirs`: the input names a thing of the workspace, so that another workspace has to be refused. `own`: it names nothing,
   * and another workspace's call is about what it has itself.
   */
  readonly about: "theirs" | "own";
};

const theirs = <Input>(input: (of: Belongings) => Input) => ({ input, about: "theirs" as const });
const own = <Input>(input: Input) => ({ input: () => input, about: "own" as const });

const bench = theirs(({ workbenchId }: Belongings) => ({ workbenchId }));
const run = theirs(({ runId }: Belongings) => ({ runId }));
const evaluation = theirs(({ evalRunId }: Belongings) => ({ runId: evalRunId }));
const hash = "a".repeat(64);

/** An input of every operation that is well-formed and names real things; a new operation does not compile without one. */
export const exampleInputs: { readonly [Id in OperationId]: Example<Id> } = {
  "system.health": own({}),
  "system.ready": own({}),
  "system.status": own({}),
  "signIn.methods": own({}),
  "signIn.create": own({ token: "not a token" }),
  "signIn.startOidc": own({ name: "nobody" }),
  "signIn.finishOidc": own({ parameters: "?code=x&state=y" }),
  "signIn.createLink": own({}),
  "signIn.end": own({}),
  "signIns.list": own({}),
  "signIns.revoke": theirs(({ signInId }) => ({ signInId })),
  "identity.whoami": own({}),
  "workspaces.list": own({}),
  "workspaces.create": own({ name: "Another" }),
  "workspaces.rename": own({ name: "Renamed" }),
  "workspaces.delete": theirs(({ workspaceId }) => ({ workspaceId })),
  "workspaces.switch": theirs(({ workspaceId }) => ({ workspaceId })),
  "members.list": own({}),
  "members.setRole": theirs(({ memberId }) => ({ userId: memberId, role: "viewer" })),
  "members.remove": theirs(({ memberId }) => ({ userId: memberId })),
  "members.createLink": theirs(({ memberId }) => ({ userId: memberId })),
  "invitations.create": own({ role: "viewer" }),
  "invitations.list": own({}),
  "invitations.revoke": theirs(({ invitationId }) => ({ invitationId })),
  "invitations.look": own({ token: "not a token" }),
  "invitations.accept": own({ token: "not a token", displayName: "Eve" }),
  "keys.list": own({}),
  "keys.create": own({ name: "mine", scopes: ["runs:read"] }),
  "keys.revoke": theirs(({ keyId }) => ({ keyId })),
  "audit.list": own({}),
  "providers.list": own({}),
  "providers.catalogue": own({}),
  "providers.add": own({ name: "another", kind: "openai-chat", baseUrl: "http://127.0.0.1:9/v1", local: true }),
  "providers.test": theirs(({ provider }) => ({ name: provider })),
  "providers.status": theirs(({ provider }) => ({ name: provider })),
  "providers.loadModel": theirs(({ provider }) => ({ name: provider, model: "gpt-5.2" })),
  "providers.unloadModel": theirs(({ provider }) => ({ name: provider, model: "gpt-5.2" })),
  "providers.remove": theirs(({ provider }) => ({ name: provider })),
  "models.list": own({}),
  "localModels.list": own({}),
  "localModels.get": own({ name: "none" }),
  "localModels.choices": own({ source: "/proc/self/nowhere.gguf" }),
  "localModels.install": own({ source: "/proc/self/nowhere.gguf" }),
  "localModels.remove": own({ name: "none" }),
  "localModels.pin": own({ name: "none", pinned: true }),
  "localModels.verify": own({ name: "none" }),
  "localModels.export": own({ names: ["none"], destination: "/proc/self/nowhere.tar" }),
  "localModels.import": own({ path: "/proc/self/nowhere.tar" }),
  "localModels.settings": own({}),
  "localModels.configure": own({ keepAliveSeconds: 60 }),
  "localModels.quantize": own({ name: "none", quantization: "Q8_0" }),
  "localModels.train": own({ name: "none", plan: { method: "lora", base: "none" }, examples: "{}" }),
  "localModels.resumeTraining": run,
  "modelDownloads.list": own({}),
  "modelDownloads.pause": own({ downloadId: "dl_0" }),
  "modelDownloads.resume": own({ downloadId: "dl_0" }),
  "modelDownloads.cancel": own({ downloadId: "dl_0" }),
  "modelRuntimes.status": own({}),
  "modelRuntimes.load": own({ name: "none" }),
  "modelRuntimes.unload": own({ name: "none" }),
  "embeddings.create": own({ model: "benchtop/none", texts: ["hello"] }),
  "runs.start": theirs(({ provider, sessionId }) => ({ model: `${provider}/gpt-5.2`, prompt: "hello", sessionId })),
  "runs.chat": own({ model: "benchtop/none", messages: [{ role: "user", content: "hello" }] }),
  "runs.list": own({}),
  "runs.get": run,
  "runs.events": run,
  "runs.eventPage": run,
  "runs.artifact": theirs(({ runId }) => ({ runId, artifactId: "art_0" })),
  "runs.abort": run,
  "runs.hint": theirs(({ runId }) => ({ runId, text: "psst" })),
  "runs.resume": run,
  "runs.replay": run,
  "runs.fork": run,
  "runs.undo": run,
  "runs.checkpoints": run,
  "runs.saveCheckpoint": theirs(({ runId }) => ({ runId, seq: 0, name: "here" })),
  "runs.removeCheckpoint": theirs(({ runId }) => ({ runId, name: "start" })),
  "runs.verify": run,
  "runs.delete": run,
  "runs.prune": own({ before: "2000-01-01T00:00:00.000Z" }),
  "conversations.list": own({}),
  "conversations.get": theirs(({ sessionId }) => ({ sessionId })),
  "conversations.delete": theirs(({ sessionId }) => ({ sessionId })),
  "workbenches.create": own({ name: "another" }),
  "workbenches.list": own({}),
  "workbenches.open": bench,
  "workbenches.rename": theirs(({ workbenchId }) => ({ workbenchId, name: "renamed" })),
  "workbenches.delete": bench,
  "files.list": bench,
  "files.upload": own({}),
  "files.add": theirs(({ workbenchId, sha256 }) => ({ workbenchId, uploads: [{ path: "added.txt", sha256 }] })),
  "files.addFromHost": theirs(({ workbenchId }) => ({ workbenchId, sources: ["/etc/hostname"] })),
  "files.remove": theirs(({ workbenchId }) => ({ workbenchId, workbenchPaths: ["notes.txt"] })),
  "files.extract": theirs(({ workbenchId }) => ({ workbenchId, destinationDir: "/proc/self/nowhere" })),
  "files.origins": bench,
  "files.writeBack": bench,
  "files.read": theirs(({ workbenchId }) => ({ workbenchId, path: "notes.txt" })),
  "outsideChanges.list": bench,
  "outsideChanges.resolve": theirs(({ workbenchId }) => ({ workbenchId, strategy: "adopt" })),
  "draft.getState": bench,
  "review.getChangeSet": bench,
  "review.getTextDiff": theirs(({ workbenchId }) => ({ workbenchId, path: "notes.txt" })),
  "review.getDocumentDiff": theirs(({ workbenchId }) => ({ workbenchId, path: "notes.txt" })),
  "review.getPage": theirs(({ workbenchId }) => ({ workbenchId, path: "notes.txt", page: 1 })),
  "draft.decide": theirs(({ workbenchId }) => ({
    workbenchId,
    decisions: [{ path: "notes.txt", sha256: hash, decision: "reject" }],
  })),
  "draft.edit": theirs(({ workbenchId }) => ({ workbenchId, path: "notes.txt", content: "by hand", sha256: hash })),
  "draft.confirmDeletions": theirs(({ workbenchId }) => ({ workbenchId, paths: ["notes.txt"] })),
  "draft.publish": bench,
  "draft.discard": bench,
  "checkpoints.list": bench,
  "checkpoints.create": bench,
  "checkpoints.remove": theirs(({ workbenchId, checkpointId }) => ({ workbenchId, checkpointId })),
  "checkpoints.restore": theirs(({ workbenchId, checkpointId }) => ({ workbenchId, checkpointId })),
  "workshop.runAgent": theirs(({ workbenchId, provider }) => ({
    workbenchId,
    model: `${provider}/gpt-5.2`,
    task: "look around",
  })),
  "workshop.sendUserMessage": theirs(({ workbenchId, provider }) => ({
    workbenchId,
    model: `${provider}/gpt-5.2`,
    message: "what is here?",
  })),
  "workshop.regenerate": bench,
  "workshop.undoToMessage": theirs(({ workbenchId, runId }) => ({ workbenchId, runId })),
  "workshop.switchModel": theirs(({ workbenchId, provider }) => ({ workbenchId, model: `${provider}/gpt-5.2` })),
  "workshop.context": theirs(({ workbenchId, provider }) => ({ workbenchId, model: `${provider}/gpt-5.2` })),
  "workshop.exportConversation": bench,
  "workshop.conversation": bench,
  "egress.consentStatus": theirs(({ workbenchId, provider }) => ({ workbenchId, model: `${provider}/gpt-5.2` })),
  "egress.grantConsent": theirs(({ workbenchId, provider }) => ({
    workbenchId,
    providerId: provider,
    modelId: "gpt-5.2",
    scopeHash: hash,
  })),
  "egress.revokeConsent": bench,
  "egress.listEvents": own({}),
  "egressExceptions.list": own({}),
  "egressExceptions.approve": own({ host: "192.168.7.20:11434", note: "the lab" }),
  "egressExceptions.revoke": own({ host: "192.168.7.20:11434" }),
  "contextItems.list": bench,
  "contextItems.put": theirs(({ workbenchId }) => ({
    workbenchId,
    kind: "style-guide",
    title: "Style",
    content: "Short sentences.",
  })),
  "contextItems.remove": theirs(({ workbenchId }) => ({ workbenchId, itemId: "ctx_0" })),
  "memory.set": theirs(({ workbenchId }) => ({ workbenchId, enabled: true })),
  "memory.list": bench,
  "memory.forget": theirs(({ workbenchId }) => ({ workbenchId, memoryId: "mem_0" })),
  "memory.clear": bench,
  "evals.run": theirs(({ evalRunId }) => ({ from: evalRunId })),
  "evals.list": own({}),
  "evals.get": evaluation,
  "evals.report": evaluation,
  "evals.compare": theirs(({ evalRunId }) => ({ runId: evalRunId, otherRunId: evalRunId })),
  "failures.list": own({}),
  "failures.get": own({ failureId: "fail_0" }),
};

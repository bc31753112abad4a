import type { MemoryLane } from "@benchtop/protocol";
import type { Generated } from "kysely";

/**
 * The `ops` schema as Kysely sees it. Unqualified names: the schema is the SQLite file, or `search_path` on PostgreSQL.
 *
 * Conventions, the same on both databases: ids and times are text (times ISO 8601 UTC with milliseconds), JSON is text,
 * booleans are 0 and 1, money is integer micro-dollars, sizes are bytes.
 */

type Flag = 0 | 1;

/** Organisations. One row, `default`, until a team makes more. */
export interface WorkspacesTable {
  id: string;
  name: string;
  created_at: string;
}

export interface ProjectsTable {
  id: string;
  workspace_id: string;
  name: string;
  description: string;
  template: string | null;
  created_at: string;
  updated_at: string;
}

/** Compute sessions: a notebook or a terminal in a sandbox. (Conversations are `conversations`.) */
export interface SessionsTable {
  id: string;
  project_id: string;
  user_id: string;
  kind: string;
  runtime: string;
  profile: string;
  status: string;
  idle_timeout_seconds: number;
  created_at: string;
  last_active_at: string;
  ended_at: string | null;
}

export interface ExperimentsTable {
  id: string;
  project_id: string;
  name: string;
  description: string;
  created_at: string;
}

export interface ModelsTable {
  id: string;
  project_id: string;
  name: string;
  version: number;
  stage: string;
  run_id: string | null;
  artifact_id: string | null;
  created_at: string;
}

export interface AppsTable {
  id: string;
  project_id: string;
  name: string;
  framework: string;
  release: number;
  status: string;
  artifact_id: string | null;
  created_at: string;
  updated_at: string;
}

export interface ArtifactsTable {
  id: string;
  run_id: string;
  name: string;
  media_type: string;
  sha256: string;
  bytes: number;
  created_at: string;
}

/** One row a run: its lease and the head of its journal. */
export interface RunsTable {
  id: string;
  trace_id: string;
  kind: string;
  /** Who writes it now; null once nobody does. */
  lease_owner: string | null;
  /** Fencing: grows with every acquisition; an append names the epoch it believes in. */
  lease_epoch: number;
  lease_until: string | null;
  event_count: number;
  head_hash: string;
  /** 0 until the terminal event is committed. */
  finished: Flag;
  created_at: string;
  /** JSON of what a run that has not ended waits for a person to decide. */
  suspension: string | null;
  /** Set first when a journal is deleted; the row stays, so that the run id stays taken and the ledger whole. */
  deleted_at: string | null;
  /** 1 once the events of a deleted journal are gone, too. */
  events_deleted: Flag;
}

/** Named points of journals. `hash` is that of the chain at the event. */
export interface RunCheckpointsTable {
  run_id: string;
  name: string;
  seq: number;
  hash: string;
  user_id: string;
  created_at: string;
}

/** The journal. `body` is the event's JSON text exactly as hashed: hash = sha256(previous hash + body). */
export interface RunEventsTable {
  run_id: string;
  seq: number;
  type: string;
  hash: string;
  body: string;
}

/** The ledger. `run_id` is unique among rows whose status is not `replay`. */
export interface WorkbenchRunsTable {
  id: string;
  run_id: string;
  trace_id: string;
  kind: string;
  tool_id: string | null;
  user_id: string;
  workspace_id: string | null;
  workbench_id: string | null;
  session_id: string | null;
  parent_run_id: string | null;
  contract_version: string | null;
  contract: string;
  provider_id: string | null;
  model_id: string | null;
  status: "pending" | "success" | "error" | "budget_exceeded" | "replay";
  input_tokens: number;
  output_tokens: number;
  cost_micros: number | null;
  steps: number;
  tool_calls: number;
  first_token_ms: number | null;
  duration_ms: number | null;
  error_code: string | null;
  title: string;
  metadata: string;
  started_at: string;
  finished_at: string | null;
}

export interface ConversationsTable {
  id: string;
  workspace_id: string;
  workbench_id: string | null;
  user_id: string;
  title: string;
  created_at: string;
}

export interface WorkbenchesTable {
  id: string;
  workspace_id: string;
  name: string;
  /** `name` case-folded, unique within the workspace. */
  name_key: string;
  session_id: string;
  /** Blob of the manifest that is published now. */
  manifest_hash: string;
  file_count: number;
  total_bytes: number;
  created_at: string;
  updated_at: string;
  /** Set first when a workbench is deleted; start-up finishes what a crash left. */
  deleting: Flag;
  /** Whether its agents may remember. */
  memory: Flag;
}

/**
 * A run that belongs to a conversation, after the one that was its head when it began. Whatever a person took back is no
 * longer reached from the head; its row stays, so that a restore can go forward to it again.
 */
export interface ConversationTurnsTable {
  run_id: string;
  workspace_id: string;
  session_id: string;
  /** Null for the first. */
  previous_run_id: string | null;
  kind: string;
  /** The Draft when the run began; null where there was none. */
  draft_id: string | null;
  draft_revision: number | null;
  created_at: string;
}

/** The newest turn of each conversation; null once all was taken back. */
export interface ConversationHeadsTable {
  workspace_id: string;
  session_id: string;
  run_id: string | null;
}

/** What the agents of a workbench are always told. */
export interface ContextItemsTable {
  id: string;
  workbench_id: string;
  kind: "situation" | "style-guide" | "reference";
  title: string;
  content: string;
  created_at: string;
  updated_at: string;
}

/** Where a file was copied from, and what was there when it was last read or written. */
export interface FileOriginsTable {
  workbench_id: string;
  file_id: string;
  /** In the workbench; it is known here also when the file is gone. */
  path: string;
  /** Absolute, on the daemon's machine. */
  host_path: string;
  sha256: string;
  synced_at: string;
}

/** What went wrong, without content. `report` is JSON. */
export interface FailuresTable {
  id: string;
  workspace_id: string;
  at: string;
  error_code: string;
  phase: string;
  operation: string | null;
  run_id: string | null;
  workbench_id: string | null;
  report: string;
}

/** Hosts (`host:port`) of the local network that the operator approved for the providers of a workspace. */
export interface EgressExceptionsTable {
  workspace_id: string;
  host: string;
  note: string;
  approved_by: string;
  created_at: string;
}

/** At most one row a workbench. */
export interface DraftsTable {
  id: string;
  workbench_id: string;
  base_manifest_hash: string;
  /** The newest turn of the conversation before the first that changed this Draft. */
  head_run_id: string | null;
  revision: number;
  created_at: string;
  updated_at: string;
}

/** The Draft is the newest row of each path; older rows are its revisions. `sha256` null means deleted; `reverted` means "as in the base". */
export interface DraftChangesTable {
  draft_id: string;
  revision: number;
  path: string;
  change: "added" | "modified" | "deleted" | "reverted";
  sha256: string | null;
  bytes: number;
  /** A person has confirmed this deletion. */
  confirmed: Flag;
  run_id: string | null;
  call_id: string | null;
  /** What the author said of this change, in a line. */
  summary: string | null;
  /** What the content is. Null where there is none, and for text of before there were these: the name tells then. */
  media_type: string | null;
  opaque: Flag | null;
  at: string;
}

/** What a person accepted: a file (`hunk` is empty) or a hunk of it, as it was at this content. */
export interface DraftDecisionsTable {
  draft_id: string;
  path: string;
  hunk: string;
  /** Null for a deletion. */
  sha256: string | null;
  user_id: string;
  at: string;
}

export interface CheckpointsTable {
  id: string;
  workbench_id: string;
  reason: "publish" | "pre-restore" | "manual" | "files-changed";
  message: string | null;
  manifest_hash: string;
  file_count: number;
  total_bytes: number;
  run_id: string | null;
  /** Where the conversation stood; a restore takes it back to there. */
  head_run_id: string | null;
  created_at: string;
}

/** At most one row a workbench, present from before the first rename until after the last: what start-up has to finish or roll back. */
export interface PublishIntentsTable {
  workbench_id: string;
  run_id: string | null;
  /** `publish`, `restore`, `add`, `remove`, `adopt`, `revert`. */
  action: string;
  from_manifest_hash: string;
  to_manifest_hash: string;
  draft_id: string | null;
  checkpoint_id: string | null;
  created_at: string;
}

/** Unique by workspace and name. */
export interface ProvidersTable {
  workspace_id: string;
  name: string;
  kind: string;
  base_url: string;
  local: Flag;
  /** Name of the key in the secrets file; null when the provider needs none. */
  secret_ref: string | null;
  prices: string | null;
  /** JSON of how a server of the kind `rest` is asked and read; null for all others. */
  mapping: string | null;
  created_at: string;
}

/** Persisted consent: one tuple; `workbench_id` is the workspace's id for prompts of no workbench. `scope_hash` follows the workbench's own publishes only. */
export interface ConsentsTable {
  workbench_id: string;
  provider_id: string;
  model_id: string;
  scope_hash: string;
  user_id: string;
  created_at: string;
}

export interface EgressEventsTable {
  id: string;
  workspace_id: string | null;
  at: string;
  purpose: string;
  outcome: string;
  method: string;
  host: string;
  provider_id: string | null;
  model_id: string | null;
  run_id: string | null;
  workbench_id: string | null;
  scope_hash: string | null;
  bytes_sent: number;
  bytes_received: number;
  status: number | null;
  error_code: string | null;
  /** As the provider counted them; null where it did not, and for what is no model call. */
  input_tokens: number | null;
  output_tokens: number | null;
  /** Files in the scope that was consented to. */
  file_count: number | null;
}

/** People, and programs that have an identity of their own. `owner` is the operator, who holds the bootstrap token. */
export interface UsersTable {
  id: string;
  kind: "person" | "service";
  display_name: string;
  /** Lower case. */
  email: string | null;
  oidc_issuer: string | null;
  oidc_subject: string | null;
  created_at: string;
  last_seen_at: string | null;
}

export interface MembershipsTable {
  workspace_id: string;
  user_id: string;
  role: "viewer" | "editor" | "admin" | "owner";
  created_at: string;
}

export interface InvitationsTable {
  id: string;
  workspace_id: string;
  token_hash: string;
  email: string | null;
  role: MembershipsTable["role"];
  invited_by: string;
  /** The API key that it was made with; it ends with that key. */
  key_id: string | null;
  created_at: string;
  expires_at: string;
  accepted_at: string | null;
  accepted_by: string | null;
  revoked_at: string | null;
}

/** Only the hash of a key is kept. `scopes` is a JSON list of permissions. */
export interface ApiKeysTable {
  id: string;
  workspace_id: string;
  user_id: string;
  name: string;
  prefix: string;
  token_hash: string;
  scopes: string;
  created_by: string;
  /** The key that it was made with; it ends with that key. */
  parent_key_id: string | null;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  last_used_at: string | null;
}

/** The audit of access. `detail` is JSON without secrets. */
export interface AccessEventsTable {
  id: string;
  at: string;
  event: string;
  workspace_id: string | null;
  actor_id: string | null;
  subject_id: string | null;
  subject_name: string | null;
  address: string | null;
  detail: string;
}

/** Browser sessions; only the hash of the cookie is kept. */
export interface SignInsTable {
  token_hash: string;
  id: string;
  user_id: string;
  /** The one it works in now. */
  workspace_id: string;
  /** The API key that it was exchanged for; it limits the session, and ends it when it ends. */
  key_id: string | null;
  /** 1 for one that is good in this workspace alone: made by a key, or with a link that a colleague gave. */
  confined: Flag;
  method: "token" | "link" | "invitation" | "oidc" | "api-key";
  user_agent: string | null;
  address: string | null;
  created_at: string;
  last_seen_at: string;
  expires_at: string;
}

export interface IdempotencyKeysTable {
  user_id: string;
  key: string;
  operation: string;
  request_hash: string;
  /** Null while the first request is still being served. */
  status: number | null;
  response: string | null;
  created_at: string;
}

/** Blobs that were uploaded and not used yet. */
export interface UploadsTable {
  workspace_id: string;
  sha256: string;
  bytes: number;
  user_id: string;
  created_at: string;
}

/** What agents remember. Its words are in `memory_terms`, which each database keeps in its own way. */
export interface MemoriesTable {
  number: Generated<number>;
  id: string;
  lane: MemoryLane;
  scope: string;
  note_key: string | null;
  content: string;
  /** UTF-16 units. */
  characters: number;
  term_count: number;
  /** Grows with each use within a lane of a scope. */
  used: number;
  written_at: string;
}

/**
 * A model on the disk of one installation (home folder). `installing`: its folder may be in place or not, and is whole where it is.
 * `removing`: its folder may be gone or not. One row of a name is `ready`.
 */
export interface LocalModelsTable {
  id: string;
  installation: string;
  name: string;
  state: "installing" | "ready" | "removing";
  /** Its name below the folder of models. */
  folder: string;
  kind: "model" | "adapter";
  /** JSON. */
  source: string;
  /** JSON: name, bytes, sha256, role and time of change of each. */
  files: string;
  bytes: number;
  title: string | null;
  licence: string | null;
  architecture: string;
  parameters: number;
  context_tokens: number | null;
  quantization: string;
  has_chat_template: Flag;
  embeds: Flag;
  /** JSON of what its publisher set beside the weights. */
  defaults: string | null;
  /** JSON of how it was made. */
  manifest: string | null;
  pinned: Flag;
  /** Its files were found to be other than those that were installed. */
  damaged: Flag;
  installed_at: string;
  used_at: string | null;
}

/** The queue of downloads, by `place`, and those that ended. What has come of one is told by files beside it. */
export interface ModelDownloadsTable {
  id: string;
  installation: string;
  place: number;
  /** What the model is to be called. */
  name: string;
  /** JSON: where the files are, what they have to be, and what becomes of them. */
  plan: string;
  state: "queued" | "running" | "paused" | "verifying" | "failed" | "done" | "canceled";
  bytes_done: number;
  bytes_total: number | null;
  /** JSON of code and message. */
  error: string | null;
  /** Who asked; its egress log shows the requests. */
  workspace_id: string;
  user_id: string | null;
  created_at: string;
  updated_at: string;
}

/** Vectors that texts were turned into. The key is a hash of what made a vector, how, for whom and of which text; no text is kept. */
export interface EmbeddingCacheTable {
  key: string;
  dimensions: number;
  /** 32-bit floats, the lowest byte first. */
  vector: Uint8Array;
  used_at: string;
}

/** What an operator set for the models of an installation; JSON. */
export interface LocalModelSettingsTable {
  installation: string;
  settings: string;
}

export interface Tables {
  workspaces: WorkspacesTable;
  projects: ProjectsTable;
  sessions: SessionsTable;
  experiments: ExperimentsTable;
  models: ModelsTable;
  apps: AppsTable;
  artifacts: ArtifactsTable;
  runs: RunsTable;
  run_events: RunEventsTable;
  run_checkpoints: RunCheckpointsTable;
  workbench_runs: WorkbenchRunsTable;
  conversations: ConversationsTable;
  conversation_turns: ConversationTurnsTable;
  conversation_heads: ConversationHeadsTable;
  context_items: ContextItemsTable;
  file_origins: FileOriginsTable;
  failures: FailuresTable;
  egress_exceptions: EgressExceptionsTable;
  workbenches: WorkbenchesTable;
  drafts: DraftsTable;
  draft_changes: DraftChangesTable;
  draft_decisions: DraftDecisionsTable;
  checkpoints: CheckpointsTable;
  publish_intents: PublishIntentsTable;
  providers: ProvidersTable;
  consents: ConsentsTable;
  egress_events: EgressEventsTable;
  users: UsersTable;
  memberships: MembershipsTable;
  invitations: InvitationsTable;
  api_keys: ApiKeysTable;
  access_events: AccessEventsTable;
  sign_ins: SignInsTable;
  idempotency_keys: IdempotencyKeysTable;
  memories: MemoriesTable;
  uploads: UploadsTable;
  local_models: LocalModelsTable;
  model_downloads: ModelDownloadsTable;
  local_model_settings: LocalModelSettingsTable;
  embedding_cache: EmbeddingCacheTable;
}

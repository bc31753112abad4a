/**
 * What agents remember. Two lanes: `working` notes have a key, belong to one conversation and are always in its prompt;
 * `episodic` texts outlive conversations and are found by what is asked.
 */
export type MemoryLane = "working" | "episodic";

export interface MemoryEntry {
  readonly lane: MemoryLane;
  /** Whose memory it is: a session, a person, a workbench. Nothing is ever read across scopes. */
  readonly scope: string;
  readonly text: string;
  /** Names a working note; a later note of the same key takes its place. Working notes need one, episodic texts have none. */
  readonly key?: string | undefined;
}

export interface MemoryItem {
  readonly id: string;
  readonly text: string;
  readonly key?: string;
  /** How well it answers the question, comparable within one answer only; 1 for every working note. */
  readonly score: number;
  /** ISO 8601 UTC, of the last write. */
  readonly writtenAt: string;
}

export interface MemoryWriteResult {
  readonly id: string;
  /** Whether the same text (episodic) or a note of this key (working) was there already. */
  readonly known: boolean;
  /** What the note of this key said before. */
  readonly replaced?: string;
  /** Ids of what had to go to make room, the least recently used first. */
  readonly forgotten: readonly string[];
}

export interface MemoryQuestion {
  readonly lane: MemoryLane;
  readonly scope: string;
  /** Any text, of any length: it is split into words, never read as a search language. Unused for working notes. */
  readonly query?: string | undefined;
  /** Most items; 8 episodic texts, all working notes when absent. */
  readonly limit?: number | undefined;
  /** Most tokens of all items together, a token being four bytes of UTF-8. Items that do not fit are passed over. */
  readonly maxTokens?: number | undefined;
}

export interface MemoryRetrieval {
  /** Best first; working notes by key. */
  readonly items: readonly MemoryItem[];
  /** What finding them cost, where that is known. */
  readonly costMicros?: number;
}

/** What is to be forgotten: one item, or a whole lane of a scope, or everything of it. */
export interface MemorySelection {
  readonly scope: string;
  readonly id?: string | undefined;
  readonly lane?: MemoryLane | undefined;
}

/** Sizes that one scope may reach in a lane. Beyond them the least recently used items are forgotten, and named in the result. */
export interface MemoryLimits {
  readonly maxItems: number;
  /** UTF-16 units of all texts together. */
  readonly maxCharacters: number;
  /** UTF-16 units of one text. */
  readonly maxItemCharacters: number;
}

/**
 * Where memories are kept. `write` rejects with `VALIDATION_FAILED` for an empty or too long text, scope or key. The same
 * episodic text in the same scope is one item, so writing twice is as good as once. NUL and lone surrogates become U+FFFD.
 */
export interface Memory {
  write(entry: MemoryEntry): Promise<MemoryWriteResult>;
  retrieve(question: MemoryQuestion): Promise<MemoryRetrieval>;
  /** Resolves to how many items were forgotten. */
  forget(selection: MemorySelection): Promise<number>;
}

import type {
  Memory,
  MemoryEntry,
  MemoryItem,
  MemoryLane,
  MemoryLimits,
  MemoryQuestion,
  MemoryRetrieval,
  MemorySelection,
  MemoryWriteResult,
} from "@benchtop/protocol";
import {
  checkedEntry,
  checkedScope,
  defaultMemoryLimits,
  withinQuestion,
  type CheckedEntry,
} from "@benchtop/protocol/memory-rules";
import { queryTerms, searchTerms } from "@benchtop/protocol/search-terms";

export type { Memory, MemoryLane } from "@benchtop/protocol";

/** A memory that lives as long as the process: the same contract as a durable one. */
export function memoryInProcess(limits: Partial<Record<MemoryLane, MemoryLimits>> = {}): Memory {
  return new ProcessMemory({ ...defaultMemoryLimits, ...limits });
}

class ProcessMemory implements Memory {
  readonly #limits: Record<MemoryLane, MemoryLimits>;
  readonly #shelves = new Map<string, Shelf>();

  constructor(limits: Record<MemoryLane, MemoryLimits>) {
    this.#limits = limits;
  }

  async write(entry: MemoryEntry): Promise<MemoryWriteResult> {
    const limits = this.#limits[entry.lane];
    const checked = checkedEntry(entry, limits);
    const shelf = this.#shelf(checked.lane, checked.scope);
    const before = shelf.textOf(checked.id);
    const known = shelf.remove(checked.id);
    shelf.put(checked, new Date().toISOString());
    const replaced = checked.lane === "working" && before !== undefined && { replaced: before };
    return { id: checked.id, known, ...replaced, forgotten: shelf.makeRoom(limits) };
  }

  async retrieve(question: MemoryQuestion): Promise<MemoryRetrieval> {
    const shelf = this.#shelves.get(nameOf(question.lane, checkedScope(question.scope)));
    if (!shelf) return { items: [] };
    const found = question.lane === "working" ? shelf.notes() : shelf.search(queryTerms(question.query ?? ""));
    const items = withinQuestion(found, question);
    if (question.lane === "episodic") for (const { id } of items) shelf.use(id);
    return { items };
  }

  async forget({ scope, id, lane }: MemorySelection): Promise<number> {
    const lanes: readonly MemoryLane[] = lane === undefined ? ["working", "episodic"] : [lane];
    let forgotten = 0;
    for (const name of lanes.map((each) => nameOf(each, checkedScope(scope)))) {
      const shelf = this.#shelves.get(name);
      if (!shelf) continue;
      if (id === undefined) {
        forgotten += shelf.size;
        this.#shelves.delete(name);
      } else if (shelf.remove(id)) forgotten += 1;
    }
    return forgotten;
  }

  #shelf(lane: MemoryLane, scope: string): Shelf {
    const name = nameOf(lane, scope);
    const shelf = this.#shelves.get(name) ?? new Shelf();
    this.#shelves.set(name, shelf);
    return shelf;
  }
}

function nameOf(lane: MemoryLane, scope: string): string {
  return `${lane} ${scope}`;
}

interface Kept {
  readonly item: Omit<MemoryItem, "score">;
  readonly terms: readonly string[];
}

/** One lane of one scope with its index. The order of the items is that of their last use. */
class Shelf {
  readonly #items = new Map<string, Kept>();
  /** How often each term stands in each text. */
  readonly #postings = new Map<string, Map<string, number>>();
  #characters = 0;
  #terms = 0;

  get size(): number {
    return this.#items.size;
  }

  put({ id, text, key }: CheckedEntry, writtenAt: string): void {
    const terms = key === undefined ? searchTerms(text) : [];
    this.#items.set(id, { item: { id, text, ...(key !== undefined && { key }), writtenAt }, terms });
    this.#characters += text.length;
    this.#terms += terms.length;
    for (const term of terms) {
      const texts = this.#postings.get(term) ?? new Map<string, number>();
      texts.set(id, (texts.get(id) ?? 0) + 1);
      this.#postings.set(term, texts);
    }
  }

  textOf(id: string): string | undefined {
    return this.#items.get(id)?.item.text;
  }

  remove(id: string): boolean {
    const kept = this.#items.get(id);
    if (!kept) return false;
    this.#items.delete(id);
    this.#characters -= kept.item.text.length;
    this.#terms -= kept.terms.length;
    for (const term of new Set(kept.terms)) {
      const texts = this.#postings.get(term);
      texts?.delete(id);
      if (texts?.size === 0) this.#postings.delete(term);
    }
    return true;
  }

  /** Forgets what was used least recently until the limits hold. */
  makeRoom({ maxItems, maxCharacters }: MemoryLimits): string[] {
    const forgotten: string[] = [];
    for (const id of this.#items.keys()) {
      if (this.#items.size <= maxItems && this.#characters <= maxCharacters) break;
      this.remove(id);
      forgotten.push(id);
    }
    return forgotten;
  }

  use(id: string): void {
    const kept = this.#items.get(id);
    if (!kept) return;
    this.#items.delete(id);
    this.#items.set(id, kept);
  }

  notes(): MemoryItem[] {
    const notes = [...this.#items.values()].map(({ item }) => ({ ...item, score: 1 }));
    return notes.sort((a, b) => compare(a.key ?? "", b.key ?? ""));
  }

  /** Okapi BM25 (Robertson and Zaragoza, 2009) with the usual constants; of equals, the newest first. */
  search(terms: readonly string[]): MemoryItem[] {
    const scores = new Map<string, number>();
    const meanLength = this.#terms / Math.max(1, this.#items.size);
    for (const term of terms) {
      const texts = this.#postings.get(term);
      if (!texts) continue;
      const rarity = Math.log(1 + (this.#items.size - texts.size + 0.5) / (texts.size + 0.5));
      for (const [id, frequency] of texts) {
        const length = this.#items.get(id)?.terms.length ?? 0;
        const weight = (frequency * 2.2) / (frequency + 1.2 * (0.25 + (0.75 * length) / meanLength));
        scores.set(id, (scores.get(id) ?? 0) + rarity * weight);
      }
    }
    const found = [...scores].flatMap(([id, score]) => {
      const kept = this.#items.get(id);
      return kept ? [{ ...kept.item, score }] : [];
    });
    return found.sort((a, b) => b.score - a.score || compare(b.writtenAt, a.writtenAt));
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

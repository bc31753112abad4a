import { setTimeout as wait } from "node:timers/promises";
import { BenchtopError } from "@benchtop/protocol";
import { openStore, type Store } from "@benchtop/store";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { failureOf } from "../../test/runtime-failure.ts";
import type { EmbeddingBackend, EmbeddingLimits } from "./backend.ts";
import { storeEmbeddingCache } from "./cache.ts";
import { Embeddings } from "./embeddings.ts";
import { bytesOf, lengthOf, vectorOf } from "./vector.ts";

const never = new AbortController().signal;

/** A backend that is asked nothing but what it remembers. */
class Letters implements EmbeddingBackend {
  readonly id = "letters";
  readonly normalized: boolean = false;
  readonly batches: (readonly string[])[] = [];
  readonly limits: Partial<EmbeddingLimits>;
  model = "m";
  madeOf: string | undefined = "r1";
  atOnce = 0;
  mostAtOnce = 0;
  delayMs = 0;
  answer = (texts: readonly string[]): Float32Array[] => texts.map((text) => Float32Array.of(text.length, 3, 4));

  constructor(limits: Partial<EmbeddingLimits> = {}) {
    this.limits = limits;
  }

  async revision(): Promise<string | undefined> {
    return this.madeOf;
  }

  async embed(texts: readonly string[], signal: AbortSignal) {
    this.batches.push(texts);
    this.atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce);
    try {
      if (this.delayMs > 0) await wait(this.delayMs, undefined, { signal });
      return {
        vectors: this.answer(texts),
        inputTokens: texts.length,
        ...(this.madeOf !== undefined && { revision: this.madeOf }),
      };
    } finally {
      this.atOnce -= 1;
    }
  }
}

describe("P2.4 vectors that cannot be used", () => {
  test.for<[string, (texts: readonly string[]) => Float32Array[], string]>([
    ["with something that is no number", () => [Float32Array.of(1, Number.NaN)], "no number"],
    ["that are infinite", () => [Float32Array.of(1, Infinity)], "no number"],
    ["of zeros", () => [Float32Array.of(0, 0)], "zeros"],
    ["without numbers", () => [new Float32Array()], "0 numbers"],
    ["of different lengths", () => [Float32Array.of(1), Float32Array.of(1, 2)], "2 numbers where 1 belong"],
    ["too few", () => [], "0 vectors for 1 texts"],
    ["too many", () => [Float32Array.of(1), Float32Array.of(1)], "2 vectors for 1 texts"],
    ["longer than those of any model", () => [new Float32Array(70_000).fill(1)], "70000 numbers"],
  ])("%s are an error, and nothing of them is kept", async ([, answer, words]) => {
    const backend = new Letters();
    backend.answer = answer;
    const kept: unknown[] = [];
    const cache = {
      get: async () => new Map<string, Float32Array>(),
      put: async (vectors: unknown) => void kept.push(vectors),
    };
    const texts = words.includes("where") ? ["a", "b"] : ["a"];
    const error = await failureOf(new Embeddings({ cache }).embed(backend, texts, {}, never));
    expect([error.code, error.info.retryable, error.category]).toEqual(["PROVIDER_UNAVAILABLE", false, "provider"]);
    expect(error.message).toContain(words);
    expect(kept).toEqual([]);
  });

  test("have another length than the backend promised", async () => {
    const backend = Object.assign(new Letters(), { dimensions: 4 });
    expect((await failureOf(new Embeddings().embed(backend, ["a"], {}, never))).message).toContain(
      "3 numbers where 4 belong",
    );
  });
});

describe("P2.4 texts", () => {
  test("that are too long are refused before anybody is asked, and none is cut", async () => {
    const backend = new Letters({ charactersOfText: 5 });
    const error = await failureOf(new Embeddings().embed(backend, ["short", "longer"], {}, never));
    expect([error.code, error.message]).toEqual([
      "CONTEXT_EXHAUSTED",
      "Text 2 has 6 characters, and m takes 5. Divide it.",
    ]);
    expect(backend.batches).toEqual([]);
  });

  test.for(["", "  \n"])("that say nothing (%j) have no vector", async (text) => {
    expect((await failureOf(new Embeddings().embed(new Letters(), ["a", text], {}, never))).code).toBe(
      "VALIDATION_FAILED",
    );
  });

  test("that are none give none", async () => {
    const embedded = await new Embeddings().embed(new Letters(), [], {}, never);
    expect(embedded).toEqual({ vectors: [], dimensions: 0, normalized: true, inputTokens: 0, cached: 0 });
  });

  test("that are the same are asked once and given to each", async () => {
    const backend = new Letters();
    const { vectors, inputTokens } = await new Embeddings().embed(
      backend,
      ["a", "bb", "a"],
      { normalized: false },
      never,
    );
    expect(backend.batches).toEqual([["a", "bb"]]);
    expect([vectors.map((vector) => vector[0]), inputTokens]).toEqual([[1, 2, 1], 2]);
  });

  test("are divided by their number and their bytes, several requests at a time, and come back in order", async () => {
    const backend = new Letters({ texts: 2, bytes: 10, requests: 3 });
    backend.delayMs = 5;
    const texts = ["a", "bb", "ccc", "ä".repeat(4), "e".repeat(30), "f", "gg"];
    const { vectors } = await new Embeddings().embed(backend, texts, { normalized: false }, never);
    expect(backend.batches).toEqual([["a", "bb"], ["ccc"], ["ääää"], ["e".repeat(30)], ["f", "gg"]]);
    expect(vectors.map((vector) => vector[0])).toEqual([1, 2, 3, 4, 30, 1, 2]);
    expect(backend.mostAtOnce).toBe(3);
  });
});

describe("P2.4 a vector", () => {
  test("has length 1 unless it is wanted as it is", async () => {
    const embeddings = new Embeddings();
    const raw = await embeddings.embed(new Letters(), ["abc"], { normalized: false }, never);
    expect([raw.vectors, raw.dimensions, raw.normalized]).toEqual([[Float32Array.of(3, 3, 4)], 3, false]);
    const unit = await embeddings.embed(new Letters(), ["abc"], {}, never);
    expect(lengthOf(unit.vectors[0] ?? new Float32Array())).toBeCloseTo(1, 6);
    expect(unit.normalized).toBe(true);
  });

  test("of very large and very small numbers keeps its direction", async () => {
    const backend = new Letters();
    for (const size of [1e30, 1e-30]) {
      backend.answer = () => [Float32Array.of(size, size)];
      const { vectors } = await new Embeddings().embed(backend, ["a"], {}, never);
      expect(vectors[0]?.[0]).toBeCloseTo(Math.SQRT1_2, 6);
    }
  });

  test("is the same number by number after it was kept as bytes", () => {
    const vector = Float32Array.of(0, -0, 1.5, -3.4e38, 1e-45, Math.PI);
    expect(vectorOf(bytesOf(vector))).toEqual(vector);
    expect([...bytesOf(Float32Array.of(1))]).toEqual([0, 0, 0x80, 0x3f]);
    const padded = new Uint8Array([9, ...bytesOf(vector)]).subarray(1);
    expect(vectorOf(padded)).toEqual(vector);
  });
});

describe("P2.4 a failing backend", () => {
  test("ends the other requests, and its error is the one that is thrown", async () => {
    const backend = new Letters({ texts: 1, requests: 2 });
    let aborted = 0;
    backend.embed = async (texts, signal) => {
      if (texts[0] === "bad") throw new BenchtopError("PROVIDER_UNAVAILABLE", "It broke.");
      await wait(60_000, undefined, { signal }).catch(() => (aborted += 1));
      throw new Error("given up");
    };
    const error = await failureOf(new Embeddings().embed(backend, ["slow", "bad", "never asked"], {}, never));
    expect([error.message, aborted]).toEqual(["It broke.", 1]);
  });

  test("is given up when its caller leaves", async () => {
    const backend = new Letters();
    backend.delayMs = 60_000;
    const abort = new AbortController();
    const embedding = new Embeddings().embed(backend, ["a"], {}, abort.signal);
    abort.abort(new BenchtopError("USER_CANCELED", "Enough."));
    await expect(embedding).rejects.toThrow(/aborted|Enough/);
    expect(backend.atOnce).toBe(0);
  });
});

describe("P2.4 vectors that were kept", () => {
  let home: string;
  let store: Store;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "benchtop-embeddings-"));
    store = await openStore({ home });
  });
  afterEach(() => store.db.deleteFrom("embedding_cache").execute());
  afterAll(async () => {
    await store.close();
    await rm(home, { recursive: true, force: true });
  });
  const keys = async (): Promise<number> =>
    (await store.db.selectFrom("embedding_cache").select("key").execute()).length;

  test("are not asked for again, not by another process either", async () => {
    const backend = new Letters();
    const first = await new Embeddings({ cache: storeEmbeddingCache(store) }).embed(backend, ["a", "bb"], {}, never);
    const again = await new Embeddings({ cache: storeEmbeddingCache(store) }).embed(
      backend,
      ["bb", "ccc", "bb"],
      {},
      never,
    );
    expect(backend.batches).toEqual([["a", "bb"], ["ccc"]]);
    expect([first.cached, again.cached, again.inputTokens]).toEqual([0, 2, 1]);
    expect(again.vectors[0]).toEqual(first.vectors[1]);
    expect(again.vectors[0]).toEqual(again.vectors[2]);
  });

  test("are of one model, one file, one form and one owner", async () => {
    const embeddings = new Embeddings({ cache: storeEmbeddingCache(store) });
    const backend = new Letters();
    const cached = async (options: Parameters<Embeddings["embed"]>[2] = {}): Promise<number> =>
      (await embeddings.embed(backend, ["a"], options, never)).cached;
    expect([await cached(), await cached()]).toEqual([0, 1]);
    expect([await cached({ normalized: false }), await cached({ normalized: false })]).toEqual([0, 1]);
    expect([await cached({ scope: "ws_1" }), await cached({ scope: "ws_2" }), await cached({ scope: "ws_1" })]).toEqual(
      [0, 0, 1],
    );
    backend.madeOf = "r2";
    expect([await cached(), await cached()]).toEqual([0, 1]);
    backend.model = "n";
    expect([await cached(), await cached()]).toEqual([0, 1]);
  });

  test("are none of a model that cannot be told from the next one of its name, or that was exchanged meanwhile", async () => {
    const embeddings = new Embeddings({ cache: storeEmbeddingCache(store) });
    const backend = new Letters();
    backend.madeOf = undefined;
    await embeddings.embed(backend, ["a"], {}, never);
    const exchanged = Object.assign(new Letters(), { revision: async () => "former" });
    await embeddings.embed(exchanged, ["a"], {}, never);
    expect(await keys()).toBe(0);
  });

  test("hold no text", async () => {
    const secret = "the launch code is 4711";
    await new Embeddings({ cache: storeEmbeddingCache(store) }).embed(new Letters(), [secret], {}, never);
    const rows = await store.db.selectFrom("embedding_cache").selectAll().execute();
    expect(JSON.stringify(rows.map(({ key, vector }) => [key, Buffer.from(vector).toString("latin1")]))).not.toContain(
      "launch",
    );
    expect(rows).toMatchObject([{ key: expect.stringMatching(/^[0-9a-f]{64}$/), dimensions: 3 }]);
  });

  test("that are damaged are made anew", async () => {
    const embeddings = new Embeddings({ cache: storeEmbeddingCache(store) });
    const backend = new Letters();
    const { vectors } = await embeddings.embed(backend, ["a"], {}, never);
    await store.db
      .updateTable("embedding_cache")
      .set({ vector: Buffer.from([1, 2, 3]) })
      .execute();
    const again = await embeddings.embed(backend, ["a"], {}, never);
    expect([again.cached, again.vectors]).toEqual([0, vectors]);
    expect((await embeddings.embed(backend, ["a"], {}, never)).cached).toBe(1);
  });

  test("go when there are too many, those that were used longest ago first", async () => {
    let now = new Date("2026-11-01T00:00:00Z");
    // Room for 100 vectors of 3 numbers.
    const cache = storeEmbeddingCache(store, { maxBytes: 1200, now: () => now });
    const put = (from: number, to: number): Promise<void> =>
      cache.put(
        new Map(Array.from({ length: to - from }, (_, index) => [`key ${from + index}`, Float32Array.of(1, 2, 3)])),
      );
    const later = (hours: number): void => void (now = new Date(now.getTime() + hours * 3_600_000));
    await put(0, 60);
    later(2);
    expect((await cache.get(["key 0"])).size).toBe(1);
    later(2);
    await put(60, 120);
    expect(await keys()).toBe(90);
    expect([...(await cache.get(["key 0", "key 1", "key 119"])).keys()].toSorted()).toEqual(["key 0", "key 119"]);
  });

  test("are found and kept hundreds at a time", async () => {
    const texts = Array.from({ length: 1000 }, (_, index) => `text ${index}`);
    const embeddings = new Embeddings({ cache: storeEmbeddingCache(store) });
    const backend = new Letters({ texts: 1000 });
    await embeddings.embed(backend, texts, {}, never);
    expect((await embeddings.embed(backend, texts, {}, never)).cached).toBe(1000);
  });
});

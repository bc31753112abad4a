import type { Store } from "@benchtop/store";
import { z } from "zod";
import { invalid } from "./refusals.ts";

const Settings = z.strictObject({
  /** Bytes of all installed models together; null for no limit. */
  quotaBytes: z.int().positive().nullable(),
  /** Of all downloads together; null for no limit. */
  downloadBytesPerSecond: z.int().positive().nullable(),
  /** What loaded models may take together; null for a share of the machine's memory. */
  memoryBytes: z.int().positive().nullable(),
  /** How long an idle model stays loaded; null for ever. */
  keepAliveSeconds: z.int().nonnegative().nullable(),
});

/** What an operator sets for the models of this machine. */
export type ModelSettings = Readonly<z.infer<typeof Settings>>;

const unchanged: ModelSettings = {
  quotaBytes: null,
  downloadBytesPerSecond: null,
  memoryBytes: null,
  keepAliveSeconds: 300,
};

/** The settings of one installation, in one row. Read once; changed here alone. */
export class KeptSettings {
  readonly #store: Pick<Store, "db" | "flush">;
  readonly #installation: string;
  #value: ModelSettings;

  static async open(store: Pick<Store, "db" | "flush">, installation: string): Promise<KeptSettings> {
    const row = await store.db
      .selectFrom("local_model_settings")
      .select("settings")
      .where("installation", "=", installation)
      .executeTakeFirst();
    const kept = Settings.partial().safeParse(row ? JSON.parse(row.settings) : {});
    return new KeptSettings(store, installation, merged(unchanged, kept.data ?? {}));
  }

  private constructor(store: Pick<Store, "db" | "flush">, installation: string, value: ModelSettings) {
    this.#store = store;
    this.#installation = installation;
    this.#value = value;
  }

  get value(): ModelSettings {
    return this.#value;
  }

  /** What is left out stays. Throws `VALIDATION_FAILED`. */
  async change(change: Partial<ModelSettings>): Promise<ModelSettings> {
    const parsed = Settings.safeParse(merged(this.#value, change));
    if (!parsed.success) throw invalid("Limits are whole numbers above zero, or null for none.");
    const settings = JSON.stringify(parsed.data);
    await this.#store.db
      .insertInto("local_model_settings")
      .values({ installation: this.#installation, settings })
      .onConflict((conflict) => conflict.column("installation").doUpdateSet({ settings }))
      .execute();
    await this.#store.flush();
    this.#value = parsed.data;
    return this.#value;
  }
}

/** A key that is undefined is one that was left out. */
function merged(
  before: ModelSettings,
  change: { readonly [Key in keyof ModelSettings]?: ModelSettings[Key] | undefined },
) {
  const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
  return { ...before, ...given } as ModelSettings;
}

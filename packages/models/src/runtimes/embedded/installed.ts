/** A model or an adapter that is installed on this machine, as the registry knows it. */
export interface InstalledModel {
  readonly name: string;
  readonly kind: "model" | "adapter";
  /** The one that is opened comes first; the others are its further parts. */
  readonly files: readonly [InstalledFile, ...InstalledFile[]];
  /** Made to turn texts into vectors. */
  readonly embeds: boolean;
  readonly architecture?: string;
  readonly quantization?: string;
  readonly trainedContextTokens?: number;
}

/** What a file was when it was installed. One that is no longer this is not opened. */
export interface InstalledFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly modifiedMs: number;
}

/** Where the fleet finds models. */
export interface InstalledModels {
  list(): Promise<readonly InstalledModel[]>;
  find(name: string): Promise<InstalledModel | undefined>;
}

import type { Tables } from "@benchtop/store";

/** A row as it is read. The tables have no column whose written type differs. */
export type Selectable<Table extends keyof Tables> = Readonly<Tables[Table]>;

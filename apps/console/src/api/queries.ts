import {
  operations,
  type FileEntry,
  type InputOf,
  type Operations,
  type OutputOf,
  type Run,
} from "@benchtop/operations";
import { infiniteQueryOptions, QueryCache, QueryClient, queryOptions } from "@tanstack/react-query";
import { client, isCode, onUnauthorized } from "./client.ts";

export const queryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error) => {
      // What this person may do has changed since they were asked for.
      if (isCode(error, "PERMISSION_DENIED")) askWhoAgain();
    },
  }),
  defaultOptions: {
    queries: { staleTime: 5_000, retry: (count, error) => count < 2 && isCode(error, "NETWORK_UNAVAILABLE") },
  },
});

onUnauthorized(askWhoAgain);

function askWhoAgain(): void {
  void queryClient.invalidateQueries({ queryKey: ["identity.whoami"] });
}

type JsonOperation = {
  [Id in keyof Operations]: Operations[Id] extends { readonly transfer: string } ? never : Id;
}[keyof Operations];

/** A query of one operation; its key is the operation's id and input, so that every screen shares the answer. */
export function query<Id extends JsonOperation>(id: Id, input: InputOf<Operations[Id]>) {
  return queryOptions<OutputOf<Operations[Id]>>({
    queryKey: [id, input],
    queryFn: () => client.call(id, input) as Promise<OutputOf<Operations[Id]>>,
  });
}

type PagedOperation = {
  [Id in JsonOperation]: OutputOf<Operations[Id]> extends { items: unknown[]; nextCursor: string | null } ? Id : never;
}[JsonOperation];

/** A list that is read page by page, as far as somebody looks. */
export function pages<Id extends PagedOperation>(
  id: Id,
  input: Omit<InputOf<Operations[Id]>, "cursor" | "limit">,
  limit = 100,
) {
  return infiniteQueryOptions({
    queryKey: [id, { ...input, limit, paged: true }],
    queryFn: ({ pageParam }) =>
      client.call(id, { ...input, limit, ...(pageParam !== null && { cursor: pageParam }) } as unknown as InputOf<
        Operations[Id]
      >) as Promise<OutputOf<Operations[Id]>>,
    initialPageParam: null as string | null,
    getNextPageParam: (page) => (page as { readonly nextCursor: string | null }).nextCursor,
  });
}

/** Every file of one side of a workbench, all pages. */
export function allFiles(workbenchId: string, side: "published" | "draft") {
  return queryOptions({
    queryKey: ["files.list", { workbenchId, side }],
    queryFn: async () => {
      const files: FileEntry[] = [];
      let cursor: string | undefined;
      do {
        const page = await client.call("files.list", {
          workbenchId,
          side,
          limit: 1000,
          ...(cursor !== undefined && { cursor }),
        });
        files.push(...page.items);
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      return files;
    },
  });
}

const modelsKey = "benchtop.models";

/**
 * The models of every provider. Asking is a request that leaves this machine, so the answer is kept in this browser and
 * asked again after ten minutes or when the providers change, not with every page.
 */
export const modelList = queryOptions<OutputOf<Operations["models.list"]>>({
  queryKey: ["models.list", {}],
  queryFn: async () => {
    const models = await client.call("models.list", {});
    localStorage.setItem(modelsKey, JSON.stringify({ at: Date.now(), models }));
    return models;
  },
  staleTime: 10 * 60_000,
  refetchOnWindowFocus: false,
  initialData: () => keptModels()?.models,
  initialDataUpdatedAt: () => keptModels()?.at,
});

interface KeptModels {
  readonly at: number;
  readonly models: OutputOf<Operations["models.list"]>;
}

/** The models of one workspace say nothing about those of another. */
export function forgetModels(): void {
  localStorage.removeItem(modelsKey);
}

/** What this browser kept, unless it is of another version or damaged. */
function keptModels(): KeptModels | undefined {
  const text = localStorage.getItem(modelsKey);
  if (text === null) return undefined;
  try {
    const kept = JSON.parse(text) as { at?: unknown; models?: unknown } | null;
    const models = operations["models.list"].output.parse(kept?.models);
    return { at: Number(kept?.at), models };
  } catch {
    localStorage.removeItem(modelsKey);
    return undefined;
  }
}

/** Runs that go on now; asked often while there are any. What a run started itself is shown with it, not beside it. */
export const activeRuns = queryOptions({
  queryKey: ["runs.list", { status: "pending", limit: 100 }],
  queryFn: async (): Promise<readonly Run[]> =>
    (await client.call("runs.list", { status: "pending", limit: 100 })).items.filter(
      ({ parentRunId, suspension, kind }) => suspension === null && (parentRunId === null || kind === "agent"),
    ),
  refetchInterval: (query) => ((query.state.data?.length ?? 0) > 0 ? 1_500 : 5_000),
  staleTime: 1_000,
});

/** Runs that wait for a person, newest first. */
export const waitingRuns = queryOptions({
  queryKey: ["runs.list", { waiting: true, limit: 200 }],
  queryFn: async (): Promise<readonly Run[]> => (await client.call("runs.list", { waiting: true, limit: 200 })).items,
  refetchInterval: 5_000,
  staleTime: 1_000,
});

/** Everything that is shown of a workbench is asked again. */
export async function refreshWorkbench(workbenchId: string): Promise<void> {
  // Diffs are named by the Draft's revision: they never change, and after publishing there is none to ask for.
  const isOfWorkbench = ({ queryKey: [id, input] }: { readonly queryKey: readonly unknown[] }): boolean =>
    id !== "review.getTextDiff" &&
    id !== "review.getDocumentDiff" &&
    typeof input === "object" &&
    input !== null &&
    "workbenchId" in input &&
    input.workbenchId === workbenchId;
  // A first answer that is on its way was asked for before what is refreshed now; invalidating alone would keep it.
  await queryClient.cancelQueries({
    predicate: (query) => query.state.data === undefined && isOfWorkbench(query),
  });
  await Promise.all([
    queryClient.invalidateQueries({ predicate: isOfWorkbench }),
    queryClient.invalidateQueries({ queryKey: ["workbenches.list"] }),
    queryClient.invalidateQueries({ queryKey: ["runs.list"] }),
  ]);
}

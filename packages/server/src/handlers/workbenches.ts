import type { workbenchOperations } from "@benchtop/operations";
import type { HandlersOf } from "../api/handler.ts";
import { whoseOf } from "../identity/whose.ts";
import type { Services } from "./services.ts";

export function workbenchHandlers(services: Services): HandlersOf<typeof workbenchOperations> {
  const { workbenches, store, maxUploadBytes } = services;
  return {
    "workbenches.create": (input, { identity }) => workbenches.create({ ...input, ...whoseOf(identity) }),
    "workbenches.list": (input, { identity }) => workbenches.list({ ...input, workspaceId: identity.workspaceId }),
    "workbenches.open": (input) => workbenches.open(input),
    "workbenches.rename": (input) => workbenches.rename(input),
    "workbenches.delete": async (input) => {
      await workbenches.delete(input);
      return {};
    },

    "files.list": (input) => workbenches.filesList(input),
    "files.upload": async (_, { body, identity }) => {
      const blob = await store.blobs.putStream(body, { maxBytes: maxUploadBytes });
      await store.db
        .insertInto("uploads")
        .values({
          ...blob,
          workspace_id: identity.workspaceId,
          user_id: identity.userId,
          created_at: new Date().toISOString(),
        })
        .onConflict((conflict) =>
          conflict
            .columns(["workspace_id", "sha256"])
            .doUpdateSet({ created_at: new Date().toISOString(), user_id: identity.userId }),
        )
        .execute();
      return blob;
    },
    "files.add": (input) => workbenches.filesAdd(input),
    "files.addFromHost": (input) => workbenches.addFromHost(input),
    "files.remove": (input) => workbenches.remove(input),
    "files.extract": (input) => workbenches.extract(input),
    "files.read": (input) => workbenches.readFile(input),

    "outsideChanges.list": (input) => workbenches.outsideChanges(input),
    "outsideChanges.resolve": (input) => workbenches.resolveOutsideChanges(input),
  };
}

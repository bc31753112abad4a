import type { workbenchOperations } from "@benchtop/operations";
import type { HandlersOf } from "../api/handler.ts";
import { whoseOf } from "../identity/whose.ts";
import type { Services } from "./services.ts";

export function workbenchHandlers(services: Services): HandlersOf<typeof workbenchOperations> {
  const { workbenches, maxUploadBytes } = services;
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
    "files.upload": (_, { body, identity }) =>
      workbenches.upload({ content: body, maxBytes: maxUploadBytes, ...whoseOf(identity) }),
    "files.add": (input) => workbenches.filesAdd(input),
    "files.addFromHost": (input) => workbenches.addFromHost(input),
    "files.remove": (input) => workbenches.remove(input),
    "files.extract": (input) => workbenches.extract(input),
    "files.origins": (input) => workbenches.origins(input),
    "files.writeBack": (input) => workbenches.writeBack(input),
    "files.read": (input) => workbenches.readFile(input),

    "outsideChanges.list": (input) => workbenches.outsideChanges(input),
    "outsideChanges.resolve": (input) => workbenches.resolveOutsideChanges(input),
  };
}

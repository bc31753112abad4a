import type { BenchtopError, ErrorCode } from "@benchtop/protocol";
import { quoted } from "./commands/names.ts";
import type { Steps, Subject } from "./next-steps.ts";

/**
 * What to type next about a model that is to come to this machine, or one that is installed on it; undefined where the
 * failure is about neither, or has nothing to do with that.
 */
export function modelSteps(about: Subject, error: BenchtopError): string[] | undefined {
  const { source, download, training, localModel, provider } = about;
  const { code, info } = error;
  if (info.subphase === "daemon_unreachable") return undefined;
  if (download !== undefined && info.retryable && code !== "USER_CANCELED") {
    const room = code === "DISK_FULL" ? [whatMakesRoom] : [];
    return [...room, `try again with what has come so far: \`benchtop models resume ${download}\``];
  }
  if (training !== undefined && info.retryable) {
    return [`go on from its last checkpoint (it has one each minute): \`benchtop models resume-training ${training}\``];
  }
  const comes = source !== undefined || download !== undefined;
  const isInstalled = localModel !== undefined || provider === "benchtop";
  return (comes ? ofComing : isInstalled ? ofInstalled : {})[code]?.(about, error);
}

type StepsByCode = Partial<Record<ErrorCode, Steps>>;

const whatMakesRoom = "`benchtop models installed` says what could make room";

const ofComing: StepsByCode = {
  PROVIDER_AUTH_FAILED: () => [
    "agree to the model's terms on its page, if it has some",
    "hand over your token: `benchtop models limits --hugging-face-token-env HF_TOKEN`, then try again",
  ],
  DISK_FULL: () => [whatMakesRoom, "`benchtop models limits --quota SIZE` allows more, where it is the quota"],
  NOT_FOUND: ({ source, download }) => {
    if (download !== undefined) return ["`benchtop models downloads` lists what is on its way"];
    // The repository without the file, quantization or revision that it does not have.
    const repository = /^hf:[^/:@]+\/[^/:@]+/i.exec(source ?? "")?.[0];
    return repository === undefined || repository === source
      ? []
      : [`see what it has: \`benchtop models choices ${quoted(repository)}\``];
  },
  NETWORK_UNAVAILABLE: () => ["check the address and the connection, then try again"],
  PROVIDER_UNAVAILABLE: () => ["try again in a while: it answers, but not with the model"],
  EGRESS_BLOCKED_BY_POLICY: () => ["use an https:// address with a host name, or fetch the file and install that"],
};

const ofInstalled: StepsByCode = {
  NOT_FOUND: () => whereModelsAre,
  PROVIDER_NOT_CONFIGURED: () => whereModelsAre,
  PROVIDER_UNAVAILABLE: (about, error) => [
    "`benchtop models ps` says what runs and how much memory is left",
    `\`benchtop models show ${nameOf(about, error)}\` says how much it needs`,
    `\`benchtop models verify ${nameOf(about, error)}\` says whether its files are whole`,
  ],
  FILE_READ_FAILED: (about, error) => [
    `\`benchtop models verify ${nameOf(about, error)}\` says which of its files are damaged`,
  ],
  CONTEXT_EXHAUSTED: (about, error) => [
    `load it to read more at once, where it can: \`benchtop models load ${nameOf(about, error)} --context TOKENS\``,
    "or choose a model that can read more: `benchtop models`",
  ],
};

const whereModelsAre = [
  "`benchtop models installed` lists the models of this machine",
  "`benchtop models install --help` says how to install one",
];

function nameOf({ localModel, model }: Subject, { info }: BenchtopError): string {
  return localModel ?? info.model_id ?? model?.replace(/^benchtop\//, "") ?? "NAME";
}

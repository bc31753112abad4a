import { z } from "zod";
import { fileNameFrom, modelNameFrom } from "../registry/model-name.ts";
import { invalid, refusal } from "../registry/refusals.ts";
import { checkHuggingFace, isPathInRepo, type ModelRequest } from "../registry/source-text.ts";
import type { Secret } from "../secret.ts";
import type { DownloadContext, DownloadGate } from "./download-gate.ts";
import { quantizationIn, type Offer, type OfferedFile } from "./offer.ts";
import { jsonOf, readAnswer, unreadable } from "./read-answer.ts";

type HuggingFaceRequest = Extract<ModelRequest, { type: "huggingface" }>;

/** What the Hub says of a repository at a revision (`GET /api/models/{repo}/revision/{revision}?blobs=true`). */
const RepoInfo = z.object({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  siblings: z
    .array(
      z.object({
        rfilename: z.string(),
        size: z.int().nonnegative().nullish(),
        lfs: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().nonnegative() }).nullish(),
      }),
    )
    .max(100_000),
  cardData: z
    .object({ license: z.union([z.string(), z.array(z.string())]) })
    .partial()
    .nullish()
    .catch(null),
});

/**
 * The models of a repository: each GGUF file, those in parts as one. The revision is resolved to its commit, so that what is chosen
 * is what is fetched, however long that takes.
 */
export async function huggingFaceOffers(
  gate: DownloadGate,
  request: HuggingFaceRequest,
  context: DownloadContext,
  token: Secret | undefined,
  signal: AbortSignal,
): Promise<Offer[]> {
  checkHuggingFace(request);
  const { repo, revision = "main" } = request;
  const base = gate.baseUrls.huggingface;
  const url = `${base}/api/models/${repo}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const asked = { context, repo, hasToken: token !== undefined };
  const answer = await readAnswer(gate, url, { token, headers: { accept: "application/json" } }, asked, signal);
  const host = new URL(base).host;
  const info = RepoInfo.safeParse(jsonOf(answer, host));
  if (!info.success) throw unreadable(host, info.error);
  const { sha, siblings, cardData } = info.data;
  const licence = [cardData?.license ?? []].flat().join(", ").slice(0, 200);
  const groups = groupParts(siblings.filter(({ rfilename }) => isPathInRepo(rfilename) && !isForImages(rfilename)));
  const offers = groups.map((files) => offerOf(request, sha, files, licence === "" ? null : licence));
  if (offers.length > 0) return chosenFrom(offers, request);
  throw refusal(
    "NOT_FOUND",
    siblings.some(({ rfilename }) => rfilename.endsWith(".safetensors"))
      ? `${repo} has no GGUF file, only weights for other programs. Look for a repository of the same model with “GGUF” in its name.`
      : `${repo} has no GGUF file.`,
  );
}

type Sibling = z.infer<typeof RepoInfo>["siblings"][number];

/** Projectors of models that see, beside the model itself. */
function isForImages(path: string): boolean {
  return /(?:^|[/._-])mmproj[._-]/i.test(path);
}

/** Parts (`…-00002-of-00003.gguf`) go together; a set that is not whole is none. */
function groupParts(siblings: readonly Sibling[]): Sibling[][] {
  const groups = new Map<string, Sibling[]>();
  for (const sibling of siblings) {
    const [, stem = sibling.rfilename, , total] = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/i.exec(sibling.rfilename) ?? [];
    const key = total === undefined ? stem : `${stem} of ${total}`;
    groups.set(key, [...(groups.get(key) ?? []), sibling]);
  }
  return [...groups.values()]
    .map((group) => group.toSorted((a, b) => (a.rfilename < b.rfilename ? -1 : 1)))
    .filter((group) => {
      const total = /-of-(\d{5})\.gguf$/i.exec(group[0]?.rfilename ?? "")?.[1];
      return total === undefined || Number(total) === group.length;
    });
}

function offerOf(
  request: HuggingFaceRequest,
  sha: string,
  siblings: readonly Sibling[],
  licence: string | null,
): Offer {
  const { repo } = request;
  const files: OfferedFile[] = siblings.map(({ rfilename, size, lfs }) => ({
    at: rfilename,
    name: fileNameFrom(rfilename),
    bytes: lfs?.size ?? size ?? null,
    sha256: lfs?.sha256 ?? null,
    role: "weights",
  }));
  const first = files[0]?.at ?? "";
  const title = first.replace(/(?:-\d{5}-of-\d{5})?\.gguf$/i, "");
  const quantization = quantizationIn(title);
  const model = repo.slice(repo.indexOf("/") + 1).replace(/[-_.]gguf$/i, "");
  return {
    request: { type: "huggingface", repo, revision: sha, file: first },
    title,
    quantization,
    suggestedName: modelNameFrom(
      quantization === null ? title.slice(title.lastIndexOf("/") + 1) : `${model}-${quantization}`,
    ),
    source: { type: "huggingface", repo, revision: sha, files: files.map(({ at }) => at) },
    files,
    licence,
    defaults: null,
  };
}

/** Those that the request means. Throws `NOT_FOUND`, naming what there is. */
function chosenFrom(offers: readonly Offer[], { repo, file, quantization }: HuggingFaceRequest): Offer[] {
  const wanted = quantization?.toUpperCase();
  const found = offers.filter(
    (offer) =>
      (file === undefined || offer.files.some(({ at }) => at === file)) &&
      (wanted === undefined || offer.quantization === wanted),
  );
  if (found.length > 0) return found;
  throw refusal("NOT_FOUND", `${repo} has no ${file ?? `file in ${wanted ?? ""}`}. It has: ${namesOf(offers)}.`);
}

/** The one that is usual where nothing was said. Throws `VALIDATION_FAILED`, naming what there is. */
export function usualOffer(offers: readonly Offer[]): Offer {
  const [only, ...others] = offers;
  if (only && others.length === 0) return only;
  const usual = offers.filter(({ quantization }) => quantization === "Q4_K_M");
  if (usual[0] && usual.length === 1) return usual[0];
  throw invalid(`There are several models there. Say which, by its file or its quantization: ${namesOf(offers)}.`);
}

function namesOf(offers: readonly Offer[]): string {
  const names = [...new Set(offers.map(({ title, quantization }) => quantization ?? title))];
  return names.length > 20 ? `${names.slice(0, 20).join(", ")} and ${names.length - 20} more` : names.join(", ");
}

export function huggingFaceFileUrl(base: string, repo: string, revision: string, path: string): string {
  return `${base}/${repo}/resolve/${encodeURIComponent(revision)}/${path.split("/").map(encodeURIComponent).join("/")}`;
}

import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BenchtopError } from "@benchtop/protocol";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { ggufBytes, sha256Of } from "../../test/gguf-files.ts";
import { smallLimits, TemporaryDownloads, timeLimit } from "../../test/temporary-downloads.ts";
import { closeSharedStore } from "../../test/temporary-registry.ts";

let here: TemporaryDownloads;
const file = await ggufBytes({ bytes: 200 * 1024 });
const never = new AbortController().signal;

afterEach(() => here.remove());
afterAll(closeSharedStore);

async function installed(name: string): Promise<Buffer> {
  return readFileSync((await here.registry.paths(name)).weights);
}

const outcomeOf = async (attempt: Promise<{ state: string; error: unknown }>) => {
  try {
    const { state, error } = await attempt;
    return { state, error };
  } catch (error) {
    const { code, message } = BenchtopError.from(error);
    return { state: "refused", error: { code, message } };
  }
};

/** As long as a page is. */
const text = (body: string) => Buffer.from(body.padEnd(2000, " "));

describe("P2.1 what comes in place of a model", () => {
  test("is told from one, and nothing is installed or kept", async () => {
    here = await TemporaryDownloads.open();
    const { files } = here.server;
    files.set("/html.gguf", { body: text("<!DOCTYPE html><html><title>Sign in</title>"), contentType: "text/html" });
    files.set("/hidden-html.gguf", { body: text("<html><title>Sign in</title>") });
    files.set("/json.gguf", { body: text('{"error":"no"}'), contentType: "application/json; charset=utf-8" });
    files.set("/hidden-json.gguf", { body: text('{"error":"no"}') });
    files.set("/lfs.gguf", { body: text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n") });
    files.set("/storage.gguf", { body: text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>') });
    files.set("/zip.gguf", { body: text("PK\u0003\u0004") });
    files.set("/empty.gguf", { body: Buffer.alloc(0) });
    files.set("/short.gguf", { body: Buffer.from("GG") });
    files.set("/broken.gguf", { body: Buffer.concat([Buffer.from("GGUF"), Buffer.alloc(3000, 255)]) });
    files.set("/cut-off.gguf", { body: file.subarray(0, 60_000) });
    for (const path of files.keys()) {
      const { state, error } = await outcomeOf(here.fetch(path));
      expect([path, state, error]).toEqual([
        path,
        expect.stringMatching(/^(refused|failed)$/),
        { code: expect.stringMatching(/^(PROVIDER_UNAVAILABLE|VALIDATION_FAILED)$/), message: expect.any(String) },
      ]);
    }
    expect((await outcomeOf(here.fetch("/lfs.gguf"))).error).toMatchObject({
      message: expect.stringContaining("Git LFS"),
    });
    expect((await outcomeOf(here.fetch("/html.gguf"))).error).toMatchObject({
      message: expect.stringContaining("web page"),
    });
    expect(await here.registry.list()).toEqual([]);
    expect(here.place.filesLeft()).toEqual([]);
  });

  test("a refusal is said in words, and not in those of the server", async () => {
    here = await TemporaryDownloads.open();
    const refusals = [
      [404, {}, "NOT_FOUND"],
      [410, {}, "NOT_FOUND"],
      [401, {}, "PROVIDER_AUTH_FAILED"],
      [403, {}, "PROVIDER_AUTH_FAILED"],
      [418, {}, "PROVIDER_UNAVAILABLE"],
      [500, {}, "PROVIDER_UNAVAILABLE"],
      [429, { "retry-after": "86400" }, "PROVIDER_RATE_LIMITED"],
    ] as const;
    for (const [status, headers, code] of refusals) {
      here.server.files.set(`/${status}.gguf`, {
        body: file,
        answer(_request, response, count) {
          // Once at once, and once after it began well.
          if (count === 2 || count === 3) return false;
          response.writeHead(status, headers).end("<html>secret words of the server</html>");
          return true;
        },
      });
      for (const _attempt of ["refused", "failed"]) {
        const { state, error } = await outcomeOf(here.fetch(`/${status}.gguf`));
        expect([status, state, error]).toEqual([status, _attempt, expect.objectContaining({ code })]);
        expect(JSON.stringify(error)).not.toContain("secret words");
      }
    }
    expect(await here.registry.list()).toEqual([]);
  });
});

describe("P2.1 a download", () => {
  test("comes in parts at once, and is installed byte for byte", async () => {
    here = await TemporaryDownloads.open();
    here.server.files.set("/Tiny-F32.gguf", { body: file, bytesPerSecond: 2_000_000 });
    const download = await here.fetch("/Tiny-F32.gguf?signature=secret");
    expect(download).toMatchObject({
      state: "done",
      name: "tiny-f32",
      source: `${here.server.url}/Tiny-F32.gguf`,
      bytesDone: file.length,
      bytesTotal: file.length,
      error: null,
    });
    expect(await installed("tiny-f32")).toEqual(file);
    expect(await here.registry.get("tiny-f32")).toMatchObject({
      source: { type: "url", url: `${here.server.url}/Tiny-F32.gguf` },
      sha256: sha256Of(file),
    });
    expect(here.server.mostAtOnce()).toBeGreaterThan(2);
    expect(here.place.filesLeft()).toEqual(["tiny-f32/Tiny-F32.gguf"]);
    // Every request is in the egress log, in the name of the model and without what it asked for.
    expect(here.records.length).toBe(here.server.requests.length);
    expect(
      new Set(here.records.map(({ purpose, modelId, workspaceId }) => `${purpose} ${modelId} ${workspaceId}`)),
    ).toEqual(new Set([`model-download ${here.server.host} default`, "model-download tiny-f32 default"]));
    expect(JSON.stringify(here.records)).not.toContain("signature");
  });

  test("comes in one piece from a server that cannot give parts of one and the same file", async () => {
    here = await TemporaryDownloads.open();
    const servers = {
      "no-ranges": { ranges: false },
      "no-length": { ranges: false, contentLength: false },
      "no-etag": { etag: null },
      "weak-etag": { etag: 'W/"1"' },
    };
    for (const [name, behaviour] of Object.entries(servers)) {
      here.server.files.set(`/${name}.gguf`, { body: file, ...behaviour });
      expect(await here.fetch(`/${name}.gguf`)).toMatchObject({ name, state: "done", bytesTotal: file.length });
      expect(await installed(name)).toEqual(file);
    }
    // Each: once to look at its beginning, once for a part where it seems to give parts, once for all of it.
    expect(here.server.requests.length).toBe(2 + 2 + 3 + 3);
  });

  test("of a large file takes some hundred requests at most", async () => {
    here = await TemporaryDownloads.open({ limits: { ...smallLimits, segmentBytes: 64 } });
    here.server.files.set("/tiny.gguf", { body: file });
    expect(await here.fetch("/tiny.gguf")).toMatchObject({ state: "done" });
    expect(await installed("tiny")).toEqual(file);
    expect(here.server.requests.length).toBeLessThan(260);
  });

  test("goes on where the connection broke, again and again", async () => {
    here = await TemporaryDownloads.open();
    here.server.files.set("/tiny.gguf", { body: file, cutAfter: (count) => (count % 2 === 0 ? 5000 : undefined) });
    expect(await here.fetch("/tiny.gguf")).toMatchObject({ state: "done" });
    expect(await installed("tiny")).toEqual(file);
    expect(here.server.bytesSent()).toBeLessThan(file.length * 1.2);
  });

  test("begins anew, from one version, when the file changes under it", async () => {
    here = await TemporaryDownloads.open();
    const changed = await ggufBytes({ bytes: 200 * 1024, seed: 7 });
    const served = {
      body: file,
      answer: (_request: unknown, _response: unknown, count: number) => {
        if (count === 6) served.body = changed;
        return false;
      },
    };
    here.server.files.set("/tiny.gguf", served);
    expect(await here.fetch("/tiny.gguf")).toMatchObject({ state: "done", bytesDone: file.length });
    expect(await installed("tiny")).toEqual(changed);
  });

  test("begins anew when the file became shorter, and parts of it are no longer there (416)", async () => {
    here = await TemporaryDownloads.open();
    const shorter = await ggufBytes({ bytes: 40 * 1024, seed: 7 });
    const served = {
      body: file,
      answer: (_request: unknown, _response: unknown, count: number) => {
        if (count === 8) served.body = shorter;
        return false;
      },
    };
    here.server.files.set("/tiny.gguf", served);
    expect(await here.fetch("/tiny.gguf")).toMatchObject({ state: "done", bytesDone: shorter.length });
    expect(await installed("tiny")).toEqual(shorter);
  });

  test("from a server that answers with other parts than were asked for installs nothing", async () => {
    here = await TemporaryDownloads.open();
    const parts = {
      "/another-place.gguf": (start: number, end: number) => `bytes ${start + 1}-${end + 1}/${file.length}`,
      "/another-size.gguf": (start: number, end: number) => `bytes ${start}-${end}/${file.length + start}`,
      "/no-range.gguf": () => "bytes */*",
      "/too-long.gguf": (start: number, end: number) => `bytes ${start}-${end + 5000}/${file.length}`,
    };
    for (const [path, rangeOf] of Object.entries(parts)) {
      here.server.files.set(path, {
        body: file,
        answer(request, response) {
          const [, start = "0", end = "0"] = /=(\d+)-(\d+)/.exec(request.headers.range ?? "") ?? [];
          const body = file.subarray(Number(start), Number(end) + 1);
          response.writeHead(206, { etag: '"1"', "content-range": rangeOf(Number(start), Number(end)) }).end(body);
          return true;
        },
      });
      const { state, error } = await outcomeOf(here.fetch(path));
      expect([path, state, error]).toEqual([
        path,
        "failed",
        expect.objectContaining({ code: expect.stringMatching(/UNAVAILABLE$/) }),
      ]);
    }
    expect(await here.registry.list()).toEqual([]);
  });

  test("of a file that never stops changing ends with a clear word", async () => {
    here = await TemporaryDownloads.open();
    let version = 0;
    const served = { body: file, etag: '"0"', answer: () => ((served.etag = `"${version++}"`), false) };
    here.server.files.set("/tiny.gguf", served);
    const { state, error } = await here.fetch("/tiny.gguf");
    expect([state, error?.message]).toEqual(["failed", expect.stringContaining("changes again and again")]);
    // Asking again goes on with it.
    served.answer = () => false;
    expect(await here.fetch("/tiny.gguf")).toMatchObject({ state: "done" });
    expect(here.downloads.list()).toHaveLength(1);
  });

  test("waits as long as a busy server asks for, and asks it for less at once", async () => {
    here = await TemporaryDownloads.open();
    let sending = 0;
    here.server.files.set("/tiny.gguf", {
      body: file,
      bytesPerSecond: 5_000_000,
      answer(_request, response, count) {
        if (count < 3) return false;
        sending += 1;
        response.on("close", () => (sending -= 1));
        if (sending <= 1) return false;
        response.writeHead(503, { "retry-after": "0" }).end();
        return true;
      },
    });
    expect(await here.fetch("/tiny.gguf")).toMatchObject({ state: "done" });
    expect(await installed("tiny")).toEqual(file);
  });

  test("of another content than was announced is thrown away", async () => {
    here = await TemporaryDownloads.open();
    here.server.files.set("/tiny.gguf", { body: file });
    const { state, error } = await here.fetch("/tiny.gguf", { sha256: "0".repeat(64) });
    expect([state, error?.code, error?.message]).toEqual([
      "failed",
      "PROVIDER_UNAVAILABLE",
      expect.stringContaining("sha256"),
    ]);
    expect(here.place.filesLeft()).toEqual([]);
    expect(await here.fetch("/tiny.gguf", { sha256: sha256Of(file).toUpperCase(), name: "right" })).toMatchObject({
      state: "done",
    });
  });

  test("of what another model has already fetches nothing", async () => {
    here = await TemporaryDownloads.open();
    here.server.files.set("/tiny.gguf", { body: file });
    await here.fetch("/tiny.gguf");
    const before = here.server.bytesSent();
    await here.fetch("/tiny.gguf", { name: "same", sha256: sha256Of(file) });
    // It looked at the beginning once.
    expect(here.server.bytesSent() - before).toBeLessThan(1000);
    expect(await installed("same")).toEqual(file);
  });

  test("keeps to the limit of bytes a second, also one that is set while it runs", async () => {
    here = await TemporaryDownloads.open();
    here.server.files.set("/tiny.gguf", { body: file });
    const limit = 40_000;
    await here.registry.configure({ downloadBytesPerSecond: limit });
    const { id } = await here.downloads.start({ type: "url", url: `${here.server.url}/tiny.gguf` }, {}, timeLimit());
    await expect.poll(() => here.downloads.get(id).bytesDone, { interval: 5 }).toBeGreaterThan(0);
    const [before, started] = [here.downloads.get(id).bytesDone, performance.now()];
    await sleep(600);
    const { state, bytesDone, bytesPerSecond } = here.downloads.get(id);
    const seconds = (performance.now() - started) / 1000;
    // Each of four requests may have had a piece on its way.
    expect(bytesDone - before).toBeLessThan(seconds * limit + 4 * 16 * 1024);
    expect([state, bytesPerSecond]).toEqual(["running", expect.any(Number)]);
    await here.registry.configure({ downloadBytesPerSecond: null });
    await here.downloads.ended(id, timeLimit());
    // With the limit it would have taken five seconds.
    expect((performance.now() - started) / 1000).toBeLessThan(4);
    expect(await installed("tiny")).toEqual(file);
  });
});

describe("P2.1 the queue", () => {
  test("takes one after the other in its order; pauses, resumes and cancels, and keeps what has come", async () => {
    here = await TemporaryDownloads.open();
    const start = (name: string) => {
      here.server.files.set(`/${name}.gguf`, { body: file, bytesPerSecond: 10_000 });
      return here.downloads.start(
        { type: "url", url: `${here.server.url}/${name}.gguf` },
        { userId: "usr_1" },
        timeLimit(),
      );
    };
    const [first, second, third] = [await start("first"), await start("second"), await start("third")];
    expect(first).toMatchObject({ userId: "usr_1", workspaceId: "default" });
    await expect.poll(() => here.downloads.get(first.id).bytesDone).toBeGreaterThan(30_000);
    expect(here.downloads.list().map(({ name, state }) => `${name} ${state}`)).toEqual([
      "first running",
      "second queued",
      "third queued",
    ]);
    // Asking again for what is on its way is that download.
    expect((await start("second")).id).toBe(second.id);
    await here.downloads.move(third.id, 1);
    expect(await here.downloads.pause(first.id)).toMatchObject({ state: "paused" });
    await expect.poll(() => here.downloads.get(third.id).state).toBe("running");
    expect(await here.downloads.cancel(third.id)).toMatchObject({ state: "canceled", bytesPerSecond: null });
    expect(await here.downloads.cancel(second.id)).toMatchObject({ state: "canceled" });
    const sent = here.server.bytesSent();
    const kept = here.downloads.get(first.id).bytesDone;
    expect(kept).toBeGreaterThan(30_000);
    here.server.files.set("/first.gguf", { body: file });
    await here.restart();
    expect(here.downloads.get(first.id)).toMatchObject({ state: "paused", bytesDone: kept });
    await here.downloads.resume(first.id);
    expect(await here.downloads.ended(first.id, timeLimit())).toMatchObject({ state: "done" });
    expect(here.server.bytesSent() - sent).toBeLessThanOrEqual(file.length - kept);
    expect(await installed("first")).toEqual(file);
    await expect(start("first")).rejects.toThrow("installed already");
    for (const change of ["pause", "resume", "cancel"] as const) {
      await expect(here.downloads[change](first.id)).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    }
    await here.downloads.clear();
    expect(here.downloads.list()).toEqual([]);
    expect(() => here.downloads.get(first.id)).toThrow("no such download");
    expect(here.place.filesLeft()).toEqual(["first/first.gguf"]);
  });

  test("goes on by itself after a restart", async () => {
    here = await TemporaryDownloads.open();
    here.server.files.set("/tiny.gguf", { body: file, bytesPerSecond: 10_000 });
    const { id } = await here.downloads.start({ type: "url", url: `${here.server.url}/tiny.gguf` }, {}, timeLimit());
    await expect.poll(() => here.downloads.get(id).bytesDone).toBeGreaterThan(30_000);
    here.server.files.set("/tiny.gguf", { body: file });
    await here.restart();
    expect(await here.downloads.ended(id, timeLimit())).toMatchObject({ state: "done" });
    expect(await installed("tiny")).toEqual(file);
  });

  test("tells whoever watches, a few times a second and the end at once", async () => {
    here = await TemporaryDownloads.open();
    here.server.files.set("/tiny.gguf", { body: file, bytesPerSecond: 100_000 });
    const stop = new AbortController();
    const seen: { state: string; bytesDone: number }[] = [];
    const watching = (async () => {
      for await (const { state, bytesDone } of here.downloads.watch(stop.signal)) seen.push({ state, bytesDone });
    })();
    const started = performance.now();
    await here.fetch("/tiny.gguf");
    const seconds = (performance.now() - started) / 1000;
    await expect.poll(() => seen.at(-1)).toEqual({ state: "done", bytesDone: file.length });
    expect(seen.length).toBeLessThan(8 + seconds * 6);
    expect(seen.length).toBeGreaterThan(3);
    stop.abort();
    await watching;
  });

  test("refuses over the quota up front what fits no more beside what is on its way", async () => {
    here = await TemporaryDownloads.open();
    here.server.files.set("/a.gguf", { body: file, bytesPerSecond: 100_000 });
    here.server.files.set("/b.gguf", { body: await ggufBytes({ bytes: 200 * 1024, seed: 3 }) });
    await here.registry.configure({ quotaBytes: file.length + 1000 });
    const { id } = await here.downloads.start({ type: "url", url: `${here.server.url}/a.gguf` }, {}, timeLimit());
    await expect(here.fetch("/b.gguf")).rejects.toMatchObject({
      code: "DISK_FULL",
      info: { actions: expect.arrayContaining(["free_disk_space"]) },
    });
    // A quota that shrinks meanwhile pauses what does not fit, and keeps it.
    await here.registry.configure({ quotaBytes: 1000 });
    expect(await here.downloads.ended(id, timeLimit())).toMatchObject({
      state: "paused",
      error: { code: "DISK_FULL" },
    });
    await expect(here.downloads.resume(id)).rejects.toMatchObject({ code: "DISK_FULL" });
    const sent = here.server.bytesSent();
    await here.registry.configure({ quotaBytes: null });
    await here.downloads.resume(id);
    expect(await here.downloads.ended(id, timeLimit())).toMatchObject({ state: "done" });
    expect(here.server.bytesSent()).toBe(sent);
    expect(await installed("a")).toEqual(file);
  });

  // Mounting needs root on Linux.
  test.runIf(process.platform === "linux" && process.getuid?.() === 0)(
    "pauses when the disk is full, keeps what has come, and goes on once there is room",
    async () => {
      here = await TemporaryDownloads.open();
      const folder = join(here.place.home, "models");
      const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=300k", "tmpfs", folder]);
      expect(mounted.stderr.toString()).toBe("");
      try {
        here.server.files.set("/tiny.gguf", { body: file, bytesPerSecond: 15_000 });
        const url = `${here.server.url}/tiny.gguf`;
        const { id } = await here.downloads.start({ type: "url", url }, {}, timeLimit());
        // There was room when it began.
        await expect.poll(() => here.downloads.get(id).bytesDone, { interval: 5 }).toBeGreaterThan(30_000);
        writeFileSync(join(folder, "something-else"), Buffer.alloc(200 * 1024));
        const download = await here.downloads.ended(id, timeLimit());
        expect(download).toMatchObject({ state: "paused", error: { code: "DISK_FULL" } });
        expect(download.bytesDone).toBeGreaterThan(30_000);
        const sent = here.server.bytesSent();
        spawnSync("mount", ["-o", "remount,size=2m", folder]);
        await here.downloads.resume(download.id);
        expect(await here.downloads.ended(download.id, timeLimit())).toMatchObject({ state: "done" });
        expect(here.server.bytesSent() - sent).toBeLessThanOrEqual(file.length - download.bytesDone);
        expect(await installed("tiny")).toEqual(file);
      } finally {
        spawnSync("umount", [folder]);
      }
    },
  );

  test("takes names once, and models of this machine's disk as well", async () => {
    here = await TemporaryDownloads.open();
    const path = here.onDisk("local.gguf", file);
    const { id } = await here.downloads.start({ type: "file", path }, {}, never);
    expect(await here.downloads.ended(id, timeLimit())).toMatchObject({
      state: "done",
      name: "local",
      source: path,
      bytesDone: file.length,
    });
    expect(await installed("local")).toEqual(file);
    await expect(here.downloads.start({ type: "file", path }, {}, never)).rejects.toThrow("installed already");
    await expect(here.downloads.start({ type: "file", path }, { name: "../x" }, never)).rejects.toMatchObject({
      code: "VALIDATION_FAILED",
    });
    const again = await here.downloads.start({ type: "file", path }, { replace: true, sha256: sha256Of(file) }, never);
    expect(await here.downloads.ended(again.id, timeLimit())).toMatchObject({ state: "done" });
    expect(await here.downloads.choices({ type: "file", path }, {}, never)).toMatchObject([
      { title: "local", quantization: "F32", bytes: file.length, fitsDisk: true, fitsMemory: true },
    ]);
  });
});

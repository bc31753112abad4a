import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import { request as httpsRequest, type RequestOptions } from "node:https";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { makeAuthority } from "../../../egress/test/certificates.ts";
import { startTestDaemon, type TestDaemon } from "../../test/test-daemon.ts";
import { readDescriptors, serviceNamed } from "../grpc/descriptors.ts";
import { readCertificate, type TlsOptions } from "./certificate.ts";

const authority = makeAuthority();
const { ca } = authority;
let folder: string;
let files: TlsOptions;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "benchtop-tls-"));
  files = await write("server", authority.issue("127.0.0.1", "localhost", "bench.example"));
});
afterAll(() => rm(folder, { recursive: true }));

async function write(name: string, { key, cert }: { key: string; cert: string }): Promise<TlsOptions> {
  const options = { certFile: join(folder, `${name}.pem`), keyFile: join(folder, `${name}.key`) };
  await writeFile(options.certFile, cert);
  await writeFile(options.keyFile, key, { mode: 0o600 });
  return options;
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

function ask(port: number, path: string, options: RequestOptions & { readonly body?: string } = {}): Promise<Answer> {
  const { body, ...rest } = options;
  return new Promise((resolve, reject) => {
    const request = httpsRequest({ host: "127.0.0.1", port, path, ca, agent: false, ...rest }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** What a handshake agrees on, or why there is none. */
async function handshake(port: number, options: ConnectionOptions): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, ca, servername: "localhost", ...options });
  try {
    await once(socket, "secureConnect");
    return `${socket.getProtocol()} ${socket.getCipher().standardName}`;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "closed";
  } finally {
    socket.destroy();
  }
}

describe("a daemon with a certificate", () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await startTestDaemon({ tls: files, publicUrls: ["https://bench.example"] });
  });
  afterAll(() => daemon[Symbol.asyncDispose]());
  const bearer = () => ({ authorization: `Bearer ${daemon.token}` });

  test("PX says that it is reached by https, to people and to programs", async () => {
    expect(daemon.url).toBe(`https://127.0.0.1:${daemon.port}`);
    expect(daemon.signInUrl()).toContain(`${daemon.url}/#token=`);
    expect(JSON.parse(await readFile(join(daemon.home, "daemon.json"), "utf8"))).toMatchObject({
      url: daemon.url,
      certFile: files.certFile,
    });
  });

  test("PX speaks TLS 1.2 and 1.3, with ciphers that keep secrets when the key is lost, and nothing older", async () => {
    expect(await handshake(daemon.port, {})).toMatch(/^TLSv1\.3 TLS_AES_256_GCM_SHA384$/);
    expect(await handshake(daemon.port, { maxVersion: "TLSv1.2" })).toMatch(
      /^TLSv1\.2 TLS_ECDHE_ECDSA_WITH_\w+(GCM_SHA\d+|POLY1305_SHA256)$/,
    );
    const old = { minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    expect(await handshake(daemon.port, { ...old, maxVersion: "TLSv1" })).toMatch(/^(ERR_SSL|ECONNRESET)/);
    expect(await handshake(daemon.port, { ...old, maxVersion: "TLSv1.1" })).toMatch(/^(ERR_SSL|ECONNRESET)/);
    const weak = ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384", "AES128-GCM-SHA256", "aNULL", "3DES"];
    for (const ciphers of weak) {
      const spoken = await handshake(daemon.port, { maxVersion: "TLSv1.2", ciphers: `${ciphers}:@SECLEVEL=0` }).catch(
        () => "ERR_SSL",
      );
      expect({ ciphers, spoken }).toEqual({
        ciphers,
        spoken: expect.stringMatching(/^(ERR_SSL|ECONNRESET)/) as unknown,
      });
    }
  });

  test("speaks HTTP/2 and HTTP/1.1 as the client likes, REST and gRPC alike", async () => {
    expect((await ask(daemon.port, "/api/v1/whoami", { headers: bearer() })).status).toBe(200);
    const session = connectHttp2(daemon.url, { ca });
    const stream = session.request({ ":path": "/api/v1/whoami", ...bearer() });
    const [head] = (await once(stream, "response")) as [Record<string, unknown>];
    expect(head[":status"]).toBe(200);
    expect((session.socket as TLSSocket).alpnProtocol).toBe("h2");
    session.destroy();
    const service = serviceNamed(await readDescriptors(), "benchtop.v1.IdentityService");
    const transport = createGrpcTransport({ baseUrl: daemon.url, nodeOptions: { ca } });
    const client = createClient(service, transport) as unknown as Record<
      string,
      (...all: unknown[]) => Promise<unknown>
    >;
    expect(await client["identityWhoami"]?.({}, { headers: bearer() })).toMatchObject({
      identity: { userId: "owner" },
    });
  });

  test("takes WebSockets", async () => {
    const socket = new WebSocket(`wss://127.0.0.1:${daemon.port}/rpc`, { ca, headers: bearer() });
    await once(socket, "open");
    expect(socket.readyState).toBe(WebSocket.OPEN);
    socket.terminate();
  });

  test("marks its cookies Secure, and takes them back from its own https origin alone", async () => {
    const signIn = await ask(daemon.port, "/api/v1/sign-in", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: daemon.token }),
    });
    const setCookie = signIn.headers["set-cookie"]?.[0] ?? "";
    expect(setCookie).toMatch(/; HttpOnly; SameSite=Strict;.*; Secure$/);
    const cookie = setCookie.split(";")[0] ?? "";
    const change = (origin: string) =>
      ask(daemon.port, "/api/v1/sign-in/links", {
        method: "POST",
        headers: { "content-type": "application/json", cookie, origin },
        body: "{}",
      });
    expect((await change(daemon.url)).status).toBe(201);
    expect((await change(daemon.url.replace("https:", "http:"))).status).toBe(403);
  });

  test("asks browsers to come by https for ever under its public name, and does not on loopback", async () => {
    const named = await ask(daemon.port, "/", { headers: { host: "bench.example" } });
    expect(named.headers["strict-transport-security"]).toBe("max-age=31536000");
    expect((await ask(daemon.port, "/")).headers).not.toHaveProperty("strict-transport-security");
  });

  test("does not answer in clear, nor wait for whoever does not speak TLS", async () => {
    const socket = connectTcp(daemon.port, "127.0.0.1");
    socket.setEncoding("latin1").on("error", () => undefined);
    socket.write(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${daemon.port}\r\n\r\n`);
    let text = "";
    socket.on("data", (chunk: string) => (text += chunk));
    await once(socket, "close");
    expect(text).not.toContain("HTTP/1.1");
    expect((await ask(daemon.port, "/healthz")).status).toBe(200);
  });
});

test("TLS 1.3 can be asked for", async () => {
  await using daemon = await startTestDaemon({ tls: { ...files, minVersion: "TLSv1.3" } });
  expect(await handshake(daemon.port, { maxVersion: "TLSv1.2" })).toMatch(/^(ERR_SSL|ECONNRESET)/);
  expect(await handshake(daemon.port, {})).toMatch(/^TLSv1\.3/);
});

test("PX config.json names the files, relative to the home", async () => {
  const home = await mkdtemp(join(folder, "home-"));
  await chmod(home, 0o700);
  await writeFile(join(home, "cert.pem"), await readFile(files.certFile));
  await writeFile(join(home, "key.pem"), await readFile(files.keyFile), { mode: 0o600 });
  await writeFile(join(home, "config.json"), JSON.stringify({ tls: { certFile: "cert.pem", keyFile: "key.pem" } }));
  await using daemon = await startTestDaemon({ home });
  expect((await ask(daemon.port, "/healthz")).status).toBe(200);
});

test("PX other machines can reach it, under a public name that is set", async () => {
  await expect(startTestDaemon({ tls: files, host: "0.0.0.0" })).rejects.toMatchObject({
    info: { error_code: "VALIDATION_FAILED" },
  });
  await using daemon = await startTestDaemon({ tls: files, host: "0.0.0.0", publicUrls: ["https://bench.example"] });
  expect(daemon.url).toBe(`https://127.0.0.1:${daemon.port}`);
  expect((await ask(daemon.port, "/healthz", { headers: { host: "bench.example" } })).status).toBe(200);
});

test("the address it gives is one that its certificate is for", async () => {
  const tls = await write("public", authority.issue("bench.example"));
  await using daemon = await startTestDaemon({ tls, publicUrls: ["https://bench.example:8443"] });
  expect(daemon.url).toBe("https://bench.example:8443");
});

const start = async (tls: TlsOptions) => {
  const thrown: unknown = await startTestDaemon({ tls }).then(
    (daemon) => daemon[Symbol.asyncDispose](),
    (error: unknown) => error,
  );
  const { message, info } = thrown as { message: string; info: { error_code: string } };
  return { message, code: info.error_code };
};

describe("files that are not right stop the start, and are named", () => {
  test("one that is missing", async () => {
    const certFile = join(folder, "nothing.pem");
    expect(await start({ ...files, certFile })).toEqual({
      message: `The TLS certificate ${certFile} does not exist.`,
      code: "FILE_READ_FAILED",
    });
    expect((await start({ ...files, keyFile: certFile })).message).toBe(`The TLS key ${certFile} does not exist.`);
  });

  test("one that cannot be read", async () => {
    expect((await start({ ...files, certFile: folder })).message).toBe(
      `The TLS certificate ${folder} cannot be read (EISDIR).`,
    );
  });

  test("one that holds something else", async () => {
    expect(await start({ ...files, certFile: files.keyFile })).toEqual({
      message: `${files.keyFile} holds no certificate in PEM.`,
      code: "VALIDATION_FAILED",
    });
    expect((await start({ ...files, keyFile: files.certFile })).message).toBe(
      `${files.certFile} holds no private key without a passphrase in PEM.`,
    );
  });

  test("a key with a passphrase", async () => {
    const keyFile = join(folder, "encrypted.key");
    execFileSync("openssl", ["pkcs8", "-topk8", "-in", files.keyFile, "-out", keyFile, "-passout", "pass:secret"]);
    expect((await start({ ...files, keyFile })).message).toBe(
      `${keyFile} holds no private key without a passphrase in PEM.`,
    );
  });

  test("a key of another certificate", async () => {
    const other = await write("other", authority.issue("localhost"));
    expect((await start({ ...files, keyFile: other.keyFile })).message).toBe(
      `The TLS key ${other.keyFile} does not belong to the certificate ${files.certFile}.`,
    );
  });
});

test("a certificate out of its time, and a key that others can read, are warned about", async () => {
  const tls = await write("expired", authority.issueExpired("127.0.0.1"));
  await chmod(tls.keyFile, 0o644);
  const { problems } = await readCertificate(tls);
  expect(problems).toMatchObject([
    { event: "tls.certificate-expired", detail: { path: tls.certFile } },
    { event: "tls.key-open-to-others", detail: { path: tls.keyFile } },
  ]);
  await using daemon = await startTestDaemon({ tls });
  await expect
    .poll(() => readFile(join(daemon.home, "logs", "daemon.log"), "utf8"))
    .toContain("tls.certificate-expired");
});

test("PX a new certificate is used without a restart, and open connections stay", async () => {
  const tls = await write("renewed", authority.issue("127.0.0.1", "localhost"));
  await using daemon = await startTestDaemon({ tls: { ...tls, checkEveryMs: 20 } });
  const serial = async (): Promise<string> => {
    const socket = connect({ host: "127.0.0.1", port: daemon.port, ca });
    await once(socket, "secureConnect");
    const { serialNumber } = socket.getPeerCertificate();
    socket.destroy();
    return serialNumber;
  };
  const before = await serial();
  const session = connectHttp2(daemon.url, { ca });
  await once(session, "connect");

  await write("renewed", authority.issue("127.0.0.1", "localhost"));
  await expect.poll(serial).not.toBe(before);
  const stream = session.request({ ":path": "/healthz" });
  expect(((await once(stream, "response")) as [Record<string, unknown>])[0][":status"]).toBe(200);
  session.destroy();

  const renewed = await serial();
  await writeFile(tls.certFile, "broken");
  const log = () => readFile(join(daemon.home, "logs", "daemon.log"), "utf8");
  await expect.poll(log).toContain("tls.not-reloaded");
  expect(await serial()).toBe(renewed);
});

import { flushCompileCache } from "node:module";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createEgress, type EgressRecord } from "@benchtop/egress";
import {
  downloadGate,
  EgressExceptions,
  EgressLog,
  LocalModels,
  openCatalogue,
  openSecrets,
  Providers,
} from "@benchtop/models";
import { BenchtopError } from "@benchtop/protocol";
import { Runs } from "@benchtop/runs";
import { openStore } from "@benchtop/store";
import { Workbenches } from "@benchtop/workbench";
import { IdempotencyKeys } from "./api/idempotency.ts";
import { References } from "./api/references.ts";
import { Registry, type Entry } from "./api/registry.ts";
import { ConsoleFiles } from "./console/console-files.ts";
import { bindHandlers } from "./handlers/handlers.ts";
import { huggingFaceSecret } from "./handlers/local-models.ts";
import { checkWritable, signInUrl } from "./handlers/system.ts";
import { defaultBodyLimits, type BodyLimits } from "./http/body.ts";
import { isLoopback } from "./http/listen.ts";
import { FailureReports } from "./failures/failure-reports.ts";
import { readConfig } from "./home/config.ts";
import { readBootstrapToken } from "./home/bootstrap-token.ts";
import { removeDaemonFile, writeDaemonFile } from "./home/daemon-file.ts";
import { prepareHome } from "./home/home.ts";
import { takeHomeLock } from "./home/lock.ts";
import { keepMemoryPrivate } from "./home/private-memory.ts";
import { FailedAttempts } from "./identity/failed-attempts.ts";
import { Identities } from "./identity/identities.ts";
import { RateLimits } from "./identity/rate-limits.ts";
import { signOperatorOut } from "./identity/sign-ins.ts";
import type { SocketLimits } from "./json-rpc/sockets.ts";
import { openLog } from "./log/log.ts";
import { OidcSignIn } from "./oidc/oidc.ts";
import type { McpFeature } from "./mcp/feature.ts";
import { outboundConnections, type OutboundOptions } from "./outbound/outbound.ts";
import { startDailyRetention } from "./retention/daily.ts";
import type { TlsOptions } from "./tls/certificate.ts";
import { collectorGate } from "./trace/collector-gate.ts";
import { traceSinks } from "./trace/trace-config.ts";
import { TraceExport } from "./trace/trace-export.ts";
import { openTransports } from "./transports.ts";
import { version } from "./version.ts";

export interface DaemonOptions {
  /** `$BENCHTOP_HOME`. Made when it does not exist. */
  readonly home: string;
  /** 0 for any free port. */
  readonly port: number;
  /** `127.0.0.1` unless told. Anything but loopback is refused unless `publicUrls` says that it is meant. */
  readonly host?: string;
  /** Addresses under which others reach the daemon (`https://bench.example`), by its own TLS or a proxy in front of it. */
  readonly publicUrls?: readonly string[];
  /** Certificate and key of the daemon's own TLS; what `config.json` says unless told, and none without either. */
  readonly tls?: TlsOptions;
  /** PostgreSQL; SQLite in the home when absent. */
  readonly databaseUrl?: string;
  /** Where the key of the secrets file is kept: the user's configuration folder unless told. */
  readonly configDir?: string;
  /** Certificate authorities and a proxy for requests to model providers. */
  readonly outbound?: OutboundOptions;
  /** The built console; the repository's own unless told. */
  readonly consoleDir?: string;
  readonly limits?: Partial<BodyLimits>;
  /** Of WebSockets: connections of one identity, calls and streams on one connection. */
  readonly socketLimits?: Partial<SocketLimits>;
  /** Refuse an answer that does not match its schema; tests and development turn it on. */
  readonly checkOutputs?: boolean;
  /** Operations of a program that embeds the daemon, beside its own; on every transport but gRPC, whose service is fixed. */
  readonly extensions?: readonly Entry[];
  /** Tools, resources and prompts of a program that embeds the daemon, beside its own, for MCP clients. */
  readonly mcp?: readonly McpFeature[];
}

export interface Daemon {
  readonly url: string;
  /** The bootstrap token. */
  readonly token: string;
  /** An address of the console that signs one browser in, once, within ten minutes. */
  signInUrl(): string;
  /** Ends live runs with an `Error` event, writes everything down and lets go of the home. Within five seconds. */
  close(): Promise<void>;
}

/**
 * Starts everything that runs in one process, in the order in which one thing needs the other. What fails on the way
 * takes down what was started before it, so that a failed start leaves no lock, socket or thread behind.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { databaseUrl, configDir } = options;
  const home = resolve(options.home);
  const startedAt = new Date();
  const opened = new AsyncDisposableStack();
  try {
    const { open } = await prepareHome(home);
    const lock = takeHomeLock(home);
    opened.defer(() => lock.release());
    // A killed daemon left its address behind; nobody must be sent there while this one starts.
    await removeDaemonFile(home);
    const log = openLog({ home });
    opened.defer(() => log.close());
    if (open) log.warn("home.open-to-others", { home });
    if (!(await keepMemoryPrivate()) && process.platform === "linux") log.warn("core-dumps.show-memory");
    const config = await readConfig(home);
    const { port, host = config.listen.host ?? "127.0.0.1", publicUrls = config.listen.publicUrls ?? [] } = options;
    const isOpen = config.auth === "none";
    if (isOpen) checkMayBeOpen(host, publicUrls);
    const catalogueReader = await openCatalogue(home);
    opened.defer(() => catalogueReader.close());
    const catalogue = () => catalogueReader.read();

    const store = await openStore({ home, databaseUrl, soleOwner: databaseUrl === undefined });
    opened.defer(() => store.close());
    const { token, repaired } = await readBootstrapToken(home, () => signOperatorOut(store));
    if (repaired) log.warn("bootstrap-token.was-open-to-others");
    const egressLog = new EgressLog({ store });
    opened.defer(() => egressLog.close());
    const egressExceptions = new EgressExceptions({ store });
    const secrets = await openSecrets({ home, place: config.secrets, ...(configDir !== undefined && { configDir }) });
    const outbound = await outboundConnections(options.outbound ?? {});
    const record = (event: EgressRecord): void => egressLog.record(event);
    const isApproved = (workspaceId: string, host: string) => egressExceptions.isApproved(workspaceId, host);
    const egress = createEgress({
      ...outbound,
      policy: (workspaceId) => ({ allowedHosts: providers.allowedHosts(workspaceId) }),
      isApproved,
      consent: { isConsented: (question) => workbenches.consent.isConsented(question) },
      record,
    });
    opened.defer(() => egress.close());
    const failures = new FailureReports({ store, log });
    const runs = new Runs({ store, reportFailure: (run, error) => failures.ofRun(run, error) });
    const downloads = downloadGate({ ...outbound, isApproved, record, ...config.models });
    opened.defer(() => downloads.close());
    const localModels = await LocalModels.open({
      store,
      runs,
      home,
      gate: downloads,
      readToken: () => secrets.get(huggingFaceSecret),
    });
    opened.defer(() => atMost(3000, localModels.close()));
    const providers = new Providers({ store, secrets, egress, catalogue, egressLog, machine: localModels });
    opened.defer(() => providers.close());
    const workbenches = new Workbenches({
      store,
      runs,
      providers,
      home,
      limits: config.limits,
      gates: config.gates,
      reliability: config.reliability,
    });
    opened.defer(() => atMost(1000, workbenches.close()));
    let ended: Promise<void> | undefined;
    const endRuns = (): Promise<void> => (ended ??= atMost(2500, runs.shutdown()));
    opened.defer(endRuns);

    // Files first: only a folder that is finished or rolled back tells whether an interrupted publish took place.
    await workbenches.recover();
    const recovered = await runs.recover(
      (run) => workbenches.settle(run),
      (run) => workbenches.interrupted(run),
    );

    const traces: TraceExport[] = [];
    const fetchFor = (collector: string) => {
      const gate = collectorGate(collector, { ...outbound, isApproved, record });
      opened.defer(() => gate.close());
      return gate.fetch;
    };
    for (const configured of config.trace ? traceSinks(config.trace, home, process.env, fetchFor) : []) {
      const traced = await TraceExport.start({
        home,
        journal: store.journal,
        ledger: store.ledger,
        log,
        ...configured,
      });
      opened.defer(() => atMost(2000, traced.close()));
      traces.push(traced);
    }

    const retention = startDailyRetention({ retention: store.retention, days: config.retention?.days, log });
    opened.defer(() => atMost(2000, retention.close()));

    const rateLimits = new RateLimits(config.rateLimits);
    const failedSignIns = new FailedAttempts(config.rateLimits.failedSignIns);
    const identities = new Identities({ store, log, bootstrapToken: token, rateLimits, failedSignIns, open: isOpen });
    opened.defer(() => atMost(1000, identities.close()));
    await identities.nameOperator();
    const oidc = new OidcSignIn({
      configs: config.oidc,
      environment: process.env,
      egress: { ...outbound, record },
    });
    opened.defer(() => oidc.close());
    const limits = { ...defaultBodyLimits, maxUploadBytes: config.limits.maxFileBytes, ...options.limits };
    let stopping = false;
    const handlers = bindHandlers({
      home,
      databaseUrl,
      proxy: options.outbound?.proxy,
      startedAt,
      url: () => http.url,
      publicUrl: () => [...http.addresses.publicOrigins][0],
      store,
      runs,
      secrets,
      providers,
      localModels,
      catalogue,
      workbenches,
      identities,
      oidc,
      egressLog,
      egressExceptions,
      traces: () => traces.map(({ state }) => state),
      warnings: isOpen ? [openWarning] : [],
      maxUploadBytes: limits.maxUploadBytes,
    });
    const registry = new Registry(handlers, options.extensions);
    const tls = options.tls ?? config.tls;
    const transports = await openTransports({
      registry,
      calls: {
        home,
        log,
        identities,
        rateLimits,
        references: new References({ workbenches, store }),
        idempotencyKeys: new IdempotencyKeys(store.db),
        failures,
        stopping: () => stopping,
        checkOutputs: options.checkOutputs ?? false,
      },
      console: new ConsoleFiles(options.consoleDir ?? join(import.meta.dirname, "../../../apps/console/dist")),
      limits,
      socketLimits: options.socketLimits ?? {},
      mcpFeatures: options.mcp ?? [],
      listening: {
        port,
        host,
        publicUrls,
        proxies: config.listen.proxies,
        tls,
        warn: (event, fields) => log.warn(event, fields),
      },
      isReady: () =>
        checkWritable(store).then(
          () => true,
          () => false,
        ),
    });
    const { http } = transports;
    opened.defer(() => transports.close());
    await writeDaemonFile(home, {
      url: http.url,
      pid: process.pid,
      startedAt: startedAt.toISOString(),
      ...(tls && { certFile: tls.certFile }),
    });
    opened.defer(() => removeDaemonFile(home));
    if (isOpen) log.warn("auth.none", { warning: openWarning });
    log.info("ready", { version, url: http.url, recovered: recovered.length, ms: Date.now() - startedAt.getTime() });

    // What ships is checked as well, once nobody waits for it.
    const checking = setTimeout(() => {
      catalogue().catch((thrown: unknown) => {
        if (!stopping) log.error("provider-catalogue", { message: BenchtopError.from(thrown).message });
      });
    }, 1000);
    opened.defer(() => clearTimeout(checking));

    // Where the entry keeps compiled modules, they are written at exit alone, which a daemon may not live to see.
    const flushing = setTimeout(flushCompileCache, 2000);
    opened.defer(() => clearTimeout(flushing));

    const close = async (): Promise<void> => {
      stopping = true;
      transports.stop();
      // Runs end before connections do, so that whoever watches one still reads how it ended.
      await endRuns();
      await opened.disposeAsync();
    };
    let closed: Promise<void> | undefined;
    return {
      url: http.url,
      token,
      signInUrl: () => signInUrl(http.url, identities.links.createForOperator().token),
      close: () => (closed ??= close()),
    };
  } catch (thrown) {
    await opened.disposeAsync();
    throw thrown;
  }
}

const openWarning =
  'Nobody has to prove who they are: every program on this machine may do everything here ("auth": "none" in config.json).';

/** Throws `VALIDATION_FAILED` for a daemon that asks nobody and can be reached from elsewhere. */
function checkMayBeOpen(host: string, publicUrls: readonly string[]): void {
  if (isLoopback(host) && publicUrls.length === 0) return;
  throw new BenchtopError(
    "VALIDATION_FAILED",
    'With "auth": "none" in config.json the daemon listens on loopback alone, without public URLs.',
    { phase: "settings", subphase: "listen", detail: { host } },
  );
}

/** Waits, but not for ever: what does not end by itself is left to the recovery of the next start. */
async function atMost(milliseconds: number, ending: Promise<void>): Promise<void> {
  const timeUp = new AbortController();
  await Promise.race([ending, sleep(milliseconds, undefined, { signal: timeUp.signal }).catch(() => undefined)]);
  timeUp.abort();
}

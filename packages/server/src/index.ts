export { startDaemon, type Daemon, type DaemonOptions } from "./daemon.ts";
export { openApiDocument } from "./api/openapi.ts";
